"""Looks at every part and setting, and says of each what is wrong and how to mend it."""

import asyncio
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import psycopg

from kijko.clients import mail
from kijko.clients.storage import ObjectStorage, StorageUnavailable
from kijko.core import migrations
from kijko.core.envelope import Masters
from kijko.core.words import counted
from kijko.local import java
from kijko.local.errors import StackError
from kijko.services.ingestion.workspace import Workspace
from kijko.setting_errors import MissingSetting, WrongSetting
from kijko.settings import Settings, read, required

SETTINGS = "Settings"
"""The finding of what cannot be read; nothing else is looked at then."""
_TIMEOUT_S = 5
_NO_STORE = (
    "It does not answer, or refuses the keys; what it said is in the line `storage: check failed`."
    " Correct KIJKO_STORAGE_URL, KIJKO_STORAGE_ENDPOINT and the keys, or start it."
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `text` says what was found and, when it is wrong, how to mend it."""

    name: str
    healthy: bool
    text: str
    part: str = ""
    """Which part of a local stack it hangs on, if any."""


PART_OF = {
    "Database": "postgres",
    "Migrations": "postgres",
    "Tables": "postgres",
    "Model keys": "postgres",
    "API's login": "postgres",
    "Worker's login": "postgres",
    "Redis": "redis",
    "Keycloak": "keycloak",
    "Keycloak's client": "keycloak",
    "Stripe": "stripe",
    "Mail of Keycloak": "mail",
    "Mail of Kijko": "mail",
    "API": "api",
}


class Wrong(Exception):
    """What a check raises; its text goes into the finding."""


def examine(environ: dict[str, str], home: Path, folder: Path) -> Iterator[Finding]:
    """Every finding, in the order in which things depend on one another.

    `environ` holds the settings, `home` is the stack's folder, `folder` that of the migrations.
    """
    yield _look("Python", _python)
    yield _look("Disk", lambda: _disk(home))
    if "KIJKO_KEYCLOAK_URL" not in environ or "127.0.0.1" in environ["KIJKO_KEYCLOAK_URL"]:
        yield _look("Java", lambda: f"{java.find(environ)}")
    try:
        settings = read()
    except WrongSetting as error:
        for sentence in error.sentences:
            yield Finding(SETTINGS, False, f"{sentence} Correct it in the environment or in .env.")
        return
    for name, check in _checks(settings, environ, folder):
        yield replace(_look(name, check), part=PART_OF.get(name, ""))


def _checks(settings: Settings, environ: dict[str, str], folder: Path) -> Iterable[tuple[str, Callable[[], str]]]:
    api = environ.get("KIJKO_API_URL") or f"http://{settings.host}:{settings.port}"
    return (
        ("Encryption key", lambda: _present(required(settings.auth.encryption_key, "KIJKO_AUTH_ENCRYPTION_KEY"))),
        ("Master key", lambda: f"{Masters.of(settings.keys).current} is the one in use"),
        ("Database", lambda: _database(settings)),
        ("Migrations", lambda: _migrations(settings, folder)),
        ("Tables", lambda: _tables(settings, folder)),
        ("Model keys", lambda: _model_keys(settings)),
        ("API's login", lambda: _login(settings.database.api_url, "KIJKO_DATABASE_API_URL", "authenticated")),
        ("Worker's login", lambda: _login(settings.database.worker_url, "KIJKO_DATABASE_WORKER_URL", "service_role")),
        ("Redis", lambda: _redis(settings)),
        ("Keycloak", lambda: _realm(settings)),
        ("Keycloak's client", lambda: _client(settings)),
        ("Google and GitHub", lambda: _providers(settings)),
        ("File store", lambda: _storage(settings)),
        ("Repositories", lambda: _workspace(settings)),
        ("Stripe", lambda: _stripe(settings)),
        ("Webhook secret", lambda: _present(required(settings.stripe.webhook_secret, "KIJKO_STRIPE_WEBHOOK_SECRET"))),
        ("Mail of Keycloak", lambda: _mail(environ)),
        ("Mail of Kijko", lambda: _own_mail(settings)),
        ("Models", lambda: _models(settings)),
        ("API", lambda: _api(api)),
    )


def _look(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except (Wrong, MissingSetting, WrongSetting, StackError, migrations.MigrationError) as error:
        return Finding(name, False, str(error))
    except (httpx.HTTPError, OSError) as error:
        return Finding(name, False, f"It does not answer: {error}. Start it with `make up`, or correct its setting.")


def _present(_: str) -> str:
    return "set"


def _python() -> str:
    return f"{sys.version.split()[0]} ({sys.executable})"


def _disk(home: Path) -> str:
    place = next(each for each in (home, *home.parents) if each.exists())
    free = shutil.disk_usage(place).free // 1_000_000
    if free < 1000:
        raise Wrong(f"Only {free} MB are free at {place}. Make room for at least 1000 MB.")
    return f"{free // 1000} GB free at {place}"


def _query(url: str, name: str, query: str) -> tuple[object, ...]:
    try:
        with psycopg.connect(url, connect_timeout=_TIMEOUT_S) as connection:
            row = connection.execute(query.encode()).fetchone()
    except psycopg.Error as error:
        raise Wrong(f"{str(error).strip()}. Start Postgres with `make up`, or correct {name}.") from error
    return row or ()


def _database(settings: Settings) -> str:
    url = required(settings.database.url, "KIJKO_DATABASE_URL")
    version, user = _query(url, "KIJKO_DATABASE_URL", "select current_setting('server_version'), current_user")
    return f"Postgres {version}, owner {user}"


def _migrations(settings: Settings, folder: Path) -> str:
    found = migrations.status(required(settings.database.url, "KIJKO_DATABASE_URL"), folder)
    pending = [each.version for each in found if each.state == "pending"]
    if pending:
        raise Wrong(f"{len(pending)} not applied yet ({', '.join(pending)}). Run `kijko migrate`.")
    return f"all {len(found)} applied"


def _tables(settings: Settings, folder: Path) -> str:
    gone = migrations.missing_tables(required(settings.database.url, "KIJKO_DATABASE_URL"), folder)
    if gone:
        raise Wrong(
            f"{counted(len(gone), 'table')} missing ({', '.join(gone)}), though their migrations are recorded as"
            " applied. Restore the database from its backup (docs/runbook.md); on a machine of your own, whose data may"
            " go: `kijko down`, `rm -r $KIJKO_HOME/postgres`, `kijko up`."
        )
    return "every one that the migrations made is there"


def _model_keys(settings: Settings) -> str:
    url = required(settings.database.url, "KIJKO_DATABASE_URL")
    masters = Masters.of(settings.keys)
    (found, *_) = _query(
        url,
        "KIJKO_DATABASE_URL",
        "select coalesce(json_object_agg(m.master_id, m.many), '{}'::json) from"
        " (select master_id, count(*) as many from public.model_keys group by master_id) m",
    )
    assert isinstance(found, dict)  # noqa: S101  # json_object_agg's
    unknown = {master: many for master, many in found.items() if master not in masters.ids}
    if unknown:
        raise Wrong(
            f"{counted(sum(unknown.values()), 'model key')} cannot be read: their master ({', '.join(sorted(unknown))})"
            " is not in KIJKO_KEYS_MASTER. Put it there, behind the new one and a comma, then `kijko rotate-master`."
        )
    older = sum(many for master, many in found.items() if master != masters.current)
    return f"{sum(found.values())} kept" + (f", {older} under an older master: `kijko rotate-master`" if older else "")


def _login(url: object, name: str, becomes: str) -> str:
    role, passes, superuser, *may = _query(
        required(url, name),  # type: ignore[arg-type]  # a SecretStr or None, as `required` takes it
        name,
        "select rolname, rolbypassrls, rolsuper, pg_has_role('authenticated', 'member'),"
        " pg_has_role('service_role', 'member') from pg_roles where rolname = current_user",
    )
    if superuser or (becomes == "authenticated" and passes):
        raise Wrong(f"{role} passes row-level security by. Set {name} to the login that the migrations made for it.")
    if not may[becomes == "service_role"]:  # as in a database that was restored without its server's roles
        raise Wrong(f"{role} may not become {becomes}, so nothing works. As the owner: `grant {becomes} to {role}`.")
    return f"{role}"


def _redis(settings: Settings) -> str:
    from redis import Redis, RedisError

    try:
        with Redis.from_url(required(settings.redis.url, "KIJKO_REDIS_URL"), socket_timeout=_TIMEOUT_S) as client:
            return f"version {client.info('server')['redis_version']}"
    except (RedisError, ValueError) as error:
        raise Wrong(f"{error}. Start it with `make up`, or correct KIJKO_REDIS_URL.") from error


def _in_order(answer: httpx.Response) -> None:
    """Raises Wrong for an answer that says nothing about our settings: what gave it has a trouble of its own."""
    if not answer.is_success:
        raise Wrong(
            f"It is not in order at the moment ({answer.status_code}). Look at its log (`kijko status` says where), "
            "then try again."
        )


def _base(settings: Settings) -> str:
    return f"{required(settings.keycloak.url, 'KIJKO_KEYCLOAK_URL')}/realms/{settings.keycloak.realm}"


def _realm(settings: Settings) -> str:
    answer = httpx.get(f"{_base(settings)}/.well-known/openid-configuration", timeout=_TIMEOUT_S)
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise Wrong(f"It has no realm {settings.keycloak.realm}. Import kijko-realm.json, or set KIJKO_KEYCLOAK_REALM.")
    _in_order(answer)
    if settings.keycloak.management_url:
        _in_order(httpx.get(f"{settings.keycloak.management_url}/health/ready", timeout=_TIMEOUT_S))
    return str(answer.json()["issuer"])


def _client(settings: Settings) -> str:
    name = "KIJKO_KEYCLOAK_CLIENT_SECRET"
    credentials = (settings.keycloak.client_id, required(settings.keycloak.client_secret, name))
    address = f"{_base(settings)}/protocol/openid-connect/token"
    form = {"grant_type": "client_credentials"}
    answer = httpx.post(address, data=form, auth=credentials, timeout=_TIMEOUT_S)
    if answer.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED}:
        raise Wrong(f"It refuses the client {settings.keycloak.client_id} ({answer.status_code}). Correct {name}.")
    _in_order(answer)
    return settings.keycloak.client_id


def _providers(settings: Settings) -> str:
    """Neither is needed: that one is not set up is no fault."""
    return "; ".join(
        f"{name} is set up"
        if settings.is_set_up(name)
        else f"{name} is not set up (KIJKO_{name.upper()}_CLIENT_ID, here and for Keycloak)"
        for name in ("google", "github")
    )


def _storage(settings: Settings) -> str:
    try:
        asyncio.run(ObjectStorage(settings.storage).check())
    except StorageUnavailable as error:
        raise Wrong(_NO_STORE) from error
    except ValueError as error:
        raise Wrong(str(error)) from error
    return str(settings.storage.url)


def _workspace(settings: Settings) -> str:
    workspace = Workspace(settings.ingestion.workspace, settings.ingestion.workspace_bytes)
    try:
        workspace.make()
    except OSError as error:
        raise Wrong(f"{error}. Correct KIJKO_INGESTION_WORKSPACE, a folder of the worker's machine.") from error
    free = shutil.disk_usage(workspace.path).free // 1_000_000_000
    return f"{workspace.path}, {free} GB free"


def _stripe(settings: Settings) -> str:
    key = required(settings.stripe.secret_key, "KIJKO_STRIPE_SECRET_KEY")
    address = f"{settings.stripe.api_base}/v1/balance"
    answer = httpx.get(address, headers={"Authorization": f"Bearer {key}"}, timeout=_TIMEOUT_S)
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise Wrong(f"It refuses the key ({answer.status_code}). Correct KIJKO_STRIPE_SECRET_KEY.")
    _in_order(answer)
    return settings.stripe.api_base


def _mail(environ: dict[str, str]) -> str:
    catcher = environ.get("KIJKO_MAIL_URL")
    if not catcher:
        host = environ.get("KIJKO_SMTP_HOST")
        if not host:
            raise Wrong(
                "No mail server is named. Set KIJKO_SMTP_HOST for Keycloak, or start the catcher with `make up`."
            )
        return f"{host} (not asked)"
    httpx.get(f"{catcher}/health", timeout=_TIMEOUT_S).raise_for_status()
    return f"caught at {catcher}"


def _own_mail(settings: Settings) -> str:
    try:
        mailer = mail.connect(settings.mail)
        if mailer is None:
            raise Wrong("No mail server is named, so that invitations are not sent. Set KIJKO_MAIL_HOST.")
        asyncio.run(mailer.check())
    except mail.MailUnavailable as error:
        raise Wrong(f"{error}. Start it with `make up`, or correct KIJKO_MAIL_HOST and what belongs to it.") from error
    return f"{settings.mail.host}:{settings.mail.port}, from {settings.mail.sender}"


def _models(settings: Settings) -> str:
    keys = {
        "anthropic": settings.models.anthropic_api_key,
        "google": settings.models.google_api_key,
        "openai": settings.models.openai_api_key,
    }
    return ", ".join(["echo", *(name for name, key in keys.items() if key)]) + f"; default {settings.models.default}"


def _api(url: str) -> str:
    answer = httpx.get(f"{url}/health", timeout=_TIMEOUT_S)
    report = answer.json()
    ill = [f"{name}: {each.get('error')}" for name, each in report["checks"].items() if each["status"] != "healthy"]
    if ill:
        raise Wrong(f"{url} is {report['status']}. " + "; ".join(ill))
    return f"{url} is healthy"
