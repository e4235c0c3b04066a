"""Getting Keycloak: downloaded with Maven and built for Postgres once, then shared by every stack of the user."""

import hashlib
import os
import shutil
import zipfile
from pathlib import Path

from kijko.local import cache, oneshot
from kijko.local.errors import BadSetting, StackError
from kijko.local.site import Site

VERSION = "26.7.3"
_SHA256 = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
_SIZE_MB = 169
_MAVEN_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
# No cluster: one server, its caches its own.
_BUILD = ("build", "--db=postgres", "--cache=local", "--health-enabled=true", "--metrics-enabled=true")
# What Keycloak's own start script passes, apart from sizes and the collector. The compiler stops at its first level:
# that starts three times as fast, at the cost of slower logins under load.
_JVM = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xms64m",
    "-Xmx384m",
    "-XX:MaxMetaspaceSize=256m",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dfile.encoding=UTF-8",
    "-Duser.language=en",
    "-Duser.country=US",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.security=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Dpicocli.disable.closures=true",
)
_MAIN = "io.quarkus.bootstrap.runner.QuarkusEntryPoint"
_THREADS = "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory"


def command(java: Path, dist: Path, home: Path, *arguments: str) -> tuple[str, ...]:
    """The Java process itself, without the start script between: signals and process id are the server's own."""
    return (
        str(java),
        *_JVM,
        f"-Djava.util.concurrent.ForkJoinPool.common.threadFactory={_THREADS}",
        f"-Dkc.home.dir={home}",
        f"-Djboss.server.config.dir={home / 'conf'}",
        "-cp",
        str(dist / "lib" / "quarkus-run.jar"),
        _MAIN,
        *arguments,
    )


def built(site: Site, java: Path) -> Path:
    """The folder of a Keycloak that is built for Postgres, read-only from here on.

    Raises:
        StackError: it cannot be downloaded, unpacked or built.
        Interrupted: the person wants to stop.
    """
    own = site.environ.get("KIJKO_KEYCLOAK_HOME")
    source = _checked(Path(own)) if own else None
    identity = VERSION if source is None else f"{source.resolve()} {(source / 'version.txt').read_text()}"
    digest = hashlib.sha256(repr((identity, _BUILD)).encode()).hexdigest()[:10]

    def make(target: Path) -> None:
        if source is None:
            _unpack(_archive(site, target), target)
        else:
            shutil.copytree(source, target, dirs_exist_ok=True)
        site.say("Keycloak: building it for Postgres, once (about half a minute)")
        argv = command(java, target, target, *_BUILD)
        environ = {"PATH": os.defpath, "HOME": str(Path.home())}
        code = oneshot.run(site, argv, log="keycloak-build", environ=environ, progress=_elapsed)
        if code != 0:
            raise oneshot.failure(site, "Keycloak could not be built.", "keycloak-build")

    return cache.built(
        cache.user_cache(site.environ), f"keycloak-{VERSION if source is None else 'own'}-{digest}", make
    )


def _checked(own: Path) -> Path:
    if not (own / "lib" / "quarkus-run.jar").is_file() or not (own / "version.txt").is_file():
        raise BadSetting(f"KIJKO_KEYCLOAK_HOME is {own}, but there is no unpacked Keycloak. Correct it or unset it.")
    return own


def _elapsed(seconds: float) -> str:
    return f"Keycloak: still building ({seconds:.0f} s)"


def _archive(site: Site, target: Path) -> Path:
    """The release's zip: one that lies in the cache, else downloaded into `target`.

    Raises:
        StackError: it cannot be had, or is not the release.
    """
    name = f"keycloak-quarkus-dist-{VERSION}.zip"
    kept = cache.user_cache(site.environ) / name
    if kept.is_file() and _digest(kept) == _SHA256:
        return kept
    maven = shutil.which("mvn", path=site.environ.get("PATH"))
    if maven is None:
        raise StackError(
            "Keycloak has to be downloaded and Maven, which does that, was not found. Install Maven (`mvn`), or "
            f"unpack Keycloak {VERSION} yourself and set KIJKO_KEYCLOAK_HOME, or set KIJKO_KEYCLOAK_URL to one "
            "that runs elsewhere."
        )
    site.say(f"Keycloak: downloading {VERSION} ({_SIZE_MB} MB)")
    _download(site, maven, target)
    if _digest(target / name) != _SHA256:
        raise StackError(f"The downloaded Keycloak is not the release {VERSION} that is expected here. Try again.")
    return target / name


def _download(site: Site, maven: str, folder: Path) -> None:
    artifact = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
    argv = (maven, "-B", "-ntp", _MAVEN_PLUGIN, f"-Dartifact={artifact}", f"-DoutputDirectory={folder}")
    incoming = Path.home() / ".m2" / "repository" / "org" / "keycloak" / "keycloak-quarkus-dist" / VERSION

    def progress(seconds: float) -> str:
        arrived = sum(each.stat().st_size for each in incoming.glob("*")) // 1_000_000 if incoming.is_dir() else 0
        return f"Keycloak: {arrived} MB so far" if arrived else f"Keycloak: Maven is working ({seconds:.0f} s)"

    if oneshot.run(site, argv, log="keycloak-download", environ=site.environ, progress=progress) != 0:
        raise oneshot.failure(site, "Maven could not download Keycloak; is the network there?", "keycloak-download")


def _digest(archive: Path) -> str:
    with archive.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpack(archive: Path, target: Path) -> None:
    """Unpack without the folder that the zip wraps everything in."""
    with zipfile.ZipFile(archive) as content:
        content.extractall(target)
    if archive.parent == target:
        archive.unlink()
    wrapper = target / f"keycloak-{VERSION}"
    for each in wrapper.iterdir():
        each.rename(target / each.name)
    wrapper.rmdir()
