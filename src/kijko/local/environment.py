"""The settings that a stack gives to Kijko's own processes, and shows to other shells as `NAME=value`."""

from collections.abc import Mapping

from kijko.local import postgres, redis
from kijko.local.errors import BadSetting
from kijko.local.ports import HOST
from kijko.local.site import Site

DEV_EMAIL = "demo@kijko.local"
DEV_PASSWORD = "dev-only-kijko-demo-1"  # noqa: S105  # the demo user's, printed at every start
DEV_PLAN = "teams"
"""The demo organization's: whoever tries things out is not stopped after ten runs a day, as on the free plan."""
REALM = "kijko"
# Settings of the stack itself, which no process of Kijko's knows.
OWN = ("KIJKO_HOME", "KIJKO_KEYCLOAK_HOME")
_OWNER_ONLY = "KIJKO_DATABASE_URL"


def api_port(environ: Mapping[str, str]) -> int:
    """KIJKO_PORT, default 8000.

    Raises:
        BadSetting: it is no port.
    """
    text = environ.get("KIJKO_PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise BadSetting(f"KIJKO_PORT is {text}; it has to be a whole number from 1 to 65535.")
    return int(text)


def settings(site: Site) -> dict[str, str]:
    """Every setting of Kijko's processes; what the person set wins over what the stack would choose."""
    chosen = {"KIJKO_PORT": str(api_port(site.environ)), "KIJKO_HOST": HOST}
    chosen["KIJKO_API_URL"] = f"http://{HOST}:{chosen['KIJKO_PORT']}"
    chosen["KIJKO_PUBLIC_URL"] = chosen["KIJKO_API_URL"]
    if not site.is_outside("database"):
        server = postgres.server(site)
        chosen["KIJKO_DATABASE_URL"] = server.url(postgres.OWNER)
        chosen["KIJKO_DATABASE_API_URL"] = server.url("kijko_api")
        chosen["KIJKO_DATABASE_WORKER_URL"] = server.url("kijko_worker")
    if not site.is_outside("redis"):
        chosen["KIJKO_REDIS_URL"] = redis.url(site)
    if not site.is_outside("keycloak"):
        chosen["KIJKO_KEYCLOAK_URL"] = f"http://{HOST}:{site.port('keycloak')}"
        chosen["KIJKO_KEYCLOAK_MANAGEMENT_URL"] = f"http://{HOST}:{site.port('keycloak-management')}"
        chosen["KIJKO_KEYCLOAK_CLIENT_SECRET"] = site.secrets.keycloak_client
    if not site.is_outside("stripe"):
        chosen["KIJKO_STRIPE_API_BASE"] = f"http://{HOST}:{site.port('stripe')}"
        chosen["KIJKO_STRIPE_SECRET_KEY"] = site.secrets.stripe_key
    chosen |= _mail(site)
    chosen["KIJKO_STRIPE_WEBHOOK_SECRET"] = site.secrets.stripe_webhook
    chosen["KIJKO_KEYCLOAK_REALM"] = REALM
    chosen["KIJKO_STORAGE_URL"] = (site.home.path.resolve() / "storage").as_uri()
    chosen["KIJKO_INGESTION_WORKSPACE"] = str(site.home.path.resolve() / "repositories")
    chosen["KIJKO_AUTH_ENCRYPTION_KEY"] = site.secrets.encryption_key
    chosen["KIJKO_KEYS_MASTER"] = site.secrets.master_key
    given = {name: value for name, value in site.environ.items() if name.startswith("KIJKO_") and name not in OWN}
    return {**chosen, **{name: value for name, value in given.items() if value}}


def _mail(site: Site) -> dict[str, str]:
    """The catcher; or, where Keycloak's mail goes elsewhere, that server for Kijko's own mails too."""
    if not site.is_outside("mail"):
        return {
            "KIJKO_MAIL_HOST": HOST,
            "KIJKO_MAIL_PORT": str(site.port("smtp")),
            "KIJKO_MAIL_TLS": "none",
            "KIJKO_MAIL_SENDER": "Kijko <no-reply@kijko.local>",
        }
    named = {
        "KIJKO_MAIL_HOST": "KIJKO_SMTP_HOST",
        "KIJKO_MAIL_PORT": "KIJKO_SMTP_PORT",
        "KIJKO_MAIL_USER": "KIJKO_SMTP_USER",
        "KIJKO_MAIL_PASSWORD": "KIJKO_SMTP_PASSWORD",
        "KIJKO_MAIL_SENDER": "KIJKO_SMTP_FROM",
    }
    found = {name: site.environ[other] for name, other in named.items() if site.environ.get(other)}
    encrypted = site.environ.get("KIJKO_SMTP_STARTTLS", "").lower() == "true" or "KIJKO_MAIL_USER" in found
    return found | {"KIJKO_MAIL_TLS": "starttls" if encrypted else "none"}


def shown(site: Site) -> dict[str, str]:
    """What `status -o env` prints: the settings, and what only tools need (demo login, mail, process ids)."""
    values = settings(site)
    if not site.is_outside("mail"):
        values["KIJKO_MAIL_URL"] = f"http://{HOST}:{site.port('mail')}"
        values["KIJKO_SMTP_HOST"] = HOST
        values["KIJKO_SMTP_PORT"] = str(site.port("smtp"))
    if not site.is_outside("keycloak"):
        values["KIJKO_DEV_KEYCLOAK_ADMIN"] = "admin"
        values["KIJKO_DEV_KEYCLOAK_PASSWORD"] = site.secrets.keycloak_admin
    values["KIJKO_DEV_EMAIL"] = DEV_EMAIL
    values["KIJKO_DEV_PASSWORD"] = DEV_PASSWORD
    for name, running in site.state.parts.items():
        values[f"KIJKO_PID_{name.upper()}"] = str(running.pid)
    return dict(sorted(values.items()))


def inherited(site: Site) -> dict[str, str]:
    """What a process takes over from the person's environment: everything but Kijko's settings."""
    return {name: value for name, value in site.environ.items() if not name.startswith("KIJKO_")}


def for_process(site: Site, *, owner: bool = False) -> dict[str, str]:
    """The whole environment of one of Kijko's processes. Only an `owner` process gets the database owner's URL."""
    values = {**inherited(site), **settings(site), "PYTHONUNBUFFERED": "1"}
    if not owner:
        values.pop(_OWNER_ONLY, None)
    return values
