"""Mails of sign-in. Keycloak writes and sends them; a row here says that one is due, until Keycloak has taken it."""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Literal

from kijko.clients.keycloak import Keycloak, User
from kijko.services.identity import queries
from kijko.services.identity.queries import Gate, Mail
from kijko.settings import Settings

log = logging.getLogger(__name__)

Kind = Literal["verify", "reset"]

# How long each link works, and so how long it is worth sending (seconds).
_LIFESPAN_S: Final[dict[str, int]] = {"verify": 12 * 3600, "reset": 3600}
# Links lead back to the web app, which is this client of the realm.
_WEB_CLIENT: Final = "kijko-web"


async def queue(tx: Gate, kind: Kind, email: str) -> Mail:
    """Note that this mail is to be sent; `send` it after the commit."""
    return Mail(await queries.queue_mail(tx, kind, email, _LIFESPAN_S[kind]), kind, email)


async def send(
    door: Callable[[], AbstractAsyncContextManager[Gate]], keycloak: Keycloak, settings: Settings, mail: Mail
) -> None:
    """Have Keycloak send it, if the address has an account that it is for.

    Raises:
        SignInUnavailable: Keycloak or its mail server does not answer; the sweep tries again.
    """
    user = await keycloak.user_by_email(mail.email)
    if user is not None and user.enabled:
        await _send_to(user, door, keycloak, settings, mail)
    async with door() as tx:
        await queries.mail_sent(tx, mail.id)


async def _send_to(
    user: User,
    door: Callable[[], AbstractAsyncContextManager[Gate]],
    keycloak: Keycloak,
    settings: Settings,
    mail: Mail,
) -> None:
    lifespan_s = _LIFESPAN_S[mail.kind]
    target = f"{settings.web_url}/login"
    if mail.kind == "verify":
        if not user.email_verified:
            await keycloak.mail_verification(user.id, redirect_uri=target, client_id=_WEB_CLIENT, lifespan_s=lifespan_s)
        return
    since = await keycloak.password_since(user.id)
    async with door() as tx:
        await queries.watch_reset(tx, user.id, since, lifespan_s)
    await keycloak.mail_reset(user.id, redirect_uri=target, client_id=_WEB_CLIENT, lifespan_s=lifespan_s)
