"""Keycloak: a folder of its own in the home, its programs shared, its data in the local Postgres."""

import os
import shutil
from pathlib import Path

from kijko.local import environment, java, keycloak_dist, keycloak_realm, postgres, probe
from kijko.local.ports import HOST
from kijko.local.process import Part
from kijko.local.site import Site

ADMIN = "admin"
REALM_FILE = Path(__file__).with_name("kijko-realm.json")
_THEMES = Path(__file__).with_name("themes")
_SHARED = ("bin", "lib", "conf", "providers", "themes", "version.txt")
# Settings that the realm file asks the environment for.
_REALM_PREFIXES = ("KIJKO_GOOGLE_", "KIJKO_GITHUB_", "KIJKO_SMTP_", "KIJKO_HASH_", "KIJKO_TOKEN_", "KIJKO_WEB_")


def part(site: Site) -> Part:
    """Keycloak, downloaded and built when it is not in the cache.

    Raises:
        StackError: Java or Keycloak is missing and cannot be fetched.
        Interrupted: the person wants to stop.
    """
    program = java.find(site.environ)
    dist = keycloak_dist.built(site, program)
    home = _own_folder(site, dist)
    port, management = site.port("keycloak"), site.port("keycloak-management")
    arguments = ("start", "--optimized", "--import-realm")
    return Part(
        name="keycloak",
        title="Keycloak",
        argv=keycloak_dist.command(program, dist, home, *arguments),
        ready=lambda: probe.http_ok(management, "/health/ready"),
        address=f"http://{HOST}:{port}",
        environ={"PATH": os.defpath, "HOME": str(Path.home()), **_server(site, port, management), **realm_values(site)},
        cwd=home,
        ready_within_s=300,  # the first start of a slow machine makes 90 tables
        patience="" if site.state.realm else "its first start makes its tables, which takes about a minute",
    )


def realm_values(site: Site) -> dict[str, str]:
    """What the realm file's `${NAME:default}` are filled with."""
    settings = environment.settings(site)
    values = {name: value for name, value in settings.items() if name.startswith(_REALM_PREFIXES)}
    if not site.is_outside("mail"):
        values["KIJKO_SMTP_HOST"], values["KIJKO_SMTP_PORT"] = HOST, str(site.port("smtp"))
    values["KIJKO_API_CLIENT_SECRET"] = settings["KIJKO_KEYCLOAK_CLIENT_SECRET"]
    values["KIJKO_API_URL"] = settings["KIJKO_PUBLIC_URL"]
    return values


def settle_realm(site: Site) -> None:
    """Bring a realm that was imported earlier in step with the realm file and this start's ports.

    Keycloak imports a realm only when it does not have it yet.
    """
    realm = keycloak_realm.filled(REALM_FILE.read_text(), realm_values(site))
    fingerprint = keycloak_realm.fingerprint(realm)
    if site.state.realm == fingerprint:
        return
    if site.state.realm:
        site.say("Keycloak: its realm's settings changed; bringing it up to date")
        base = f"http://{HOST}:{site.port('keycloak')}"
        keycloak_realm.apply(base, ADMIN, site.secrets.keycloak_admin, realm)
    site.state.realm = fingerprint
    site.home.write(site.state)


def _server(site: Site, port: int, management: int) -> dict[str, str]:
    database = postgres.server(site)
    return {
        "KC_SPI_THEME__FOLDER__DIR": str(_THEMES),
        # The build is told as well, but from there it does not reach a start; without it, one that was killed is waited
        # for as a member of the cluster, for 20 s, and a port is opened to the network.
        "KC_CACHE": "local",
        # Its readiness is asked many times a second while it starts, and each answer would be a line.
        "KC_LOG_LEVEL": "INFO,io.smallrye.health:WARN",
        "KC_HTTP_ENABLED": "true",
        "KC_HTTP_HOST": HOST,
        "KC_HTTP_PORT": str(port),
        "KC_HTTP_MANAGEMENT_HOST": HOST,
        "KC_HTTP_MANAGEMENT_PORT": str(management),
        "KC_HOSTNAME": f"http://{HOST}:{port}",  # the issuer, whatever a request's Host says
        "KC_DB_URL": f"jdbc:postgresql://{HOST}:{database.port}/keycloak",
        "KC_DB_USERNAME": "keycloak",
        "KC_DB_PASSWORD": database.passwords["keycloak"],
        "KC_DB_POOL_INITIAL_SIZE": "1",
        "KC_DB_POOL_MAX_SIZE": "20",
        "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN,
        "KC_BOOTSTRAP_ADMIN_PASSWORD": site.secrets.keycloak_admin,
    }


def _own_folder(site: Site, dist: Path) -> Path:
    home = site.home.folder("keycloak")
    for name in _SHARED:
        link = home / name
        link.unlink(missing_ok=True)
        link.symlink_to(dist / name)
    imports = home / "data" / "import"
    imports.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(REALM_FILE, imports / REALM_FILE.name)
    return home
