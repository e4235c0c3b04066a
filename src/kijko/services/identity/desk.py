"""What the operations of sign-in work with, and the steps that several of them share."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final
from uuid import UUID, uuid4

import orjson
from redis.asyncio import Redis
from redis.exceptions import LockError

from kijko.clients.keycloak import Grant, Keycloak, Refused, SignInUnavailable
from kijko.core.crypto import Box
from kijko.core.redis import RedisFailure
from kijko.core.tenancy import Tenants
from kijko.core.tokens import Claims, InvalidToken, Tokens
from kijko.services.identity import mails, queries, rules
from kijko.services.identity.attempts import attempt
from kijko.services.identity.rules import Device
from kijko.settings import Settings

log = logging.getLogger(__name__)

_TURN_S: Final = 10.0

_running: Final[set[asyncio.Task[None]]] = set()  # the event loop itself holds tasks by a weak reference only


@dataclass(frozen=True)
class Desk:
    """Everything sign-in needs: the database, the sign-in server, the keys, and the settings."""

    database: Tenants
    keycloak: Keycloak
    tokens: Tokens
    redis: "Redis"
    box: Box
    settings: Settings

    async def claims(self, grant: Grant) -> Claims:
        """The checked claims of an access token that the sign-in server has just given."""
        try:
            return await self.tokens.claims(
                grant.access_token, audience=self.settings.auth.audience, kind="Bearer", issuer=self.tokens.issuer
            )
        except InvalidToken:
            log.error(
                "the sign-in server's own tokens are not accepted here; check that KIJKO_KEYCLOAK_PUBLIC_URL, "
                "KIJKO_AUTH_AUDIENCE and KIJKO_AUTH_ALGORITHM fit its realm, and both clocks"
            )
            raise SignInUnavailable from None

    def seal(self, grant: Grant) -> str:
        """The tokens as they may be kept."""
        return self.box.seal(orjson.dumps(asdict(grant))).decode()

    def unseal(self, kept: str) -> Grant:
        """The tokens again. Raises Unreadable."""
        return Grant(**orjson.loads(self.box.open(kept.encode())))

    @asynccontextmanager
    async def turn(self, email: str) -> AsyncIterator[bool]:
        """One password check of an account at a time: Keycloak's guard against guessing refuses all but one.

        It saves a refusal and guards nothing, so that without Redis everybody goes ahead. Tells whether it had to wait.
        """
        key = f"kijko:turn:{sha256(email.encode()).hexdigest()[:32]}"
        lock = self.redis.lock(key, timeout=_TURN_S, sleep=0.02, blocking_timeout=_TURN_S)
        waited = False
        try:
            taken = await lock.acquire(blocking=False)
            if not taken:
                waited = True
                taken = await lock.acquire()
        except RedisFailure:
            taken = False
        try:
            yield waited
        finally:
            if taken:
                try:
                    await lock.release()
                except (LockError, *RedisFailure) as error:
                    log.info("a turn ended by itself: %s", type(error).__name__)


async def settle(desk: Desk, grant: Grant, device: Device, *, new: bool = True) -> Grant:
    """What every sign-in ends with: the person is known here and has an organization, and the token names it.

    Whoever a crash left without an organization gets one here. When this fails, a `new` session is ended again.
    """
    claims = await desk.claims(grant)
    try:
        return await _settle(desk, grant, claims, device)
    except BaseException:
        if new:
            spawn(_end_quietly(desk, claims["sid"]))
        raise


async def _settle(desk: Desk, grant: Grant, claims: Claims, device: Device) -> Grant:
    user_id, session_id = UUID(claims["sub"]), claims["sid"]
    email, first_name = claims.get("email", ""), claims.get("given_name", "")
    async with desk.database.gate() as tx:
        organization_id = await queries.register(
            tx,
            user_id=user_id,
            email=email,
            first_name=first_name,
            last_name=claims.get("family_name", ""),
            email_verified=bool(claims.get("email_verified")),
            organization_name=rules.organization_name(first_name, email),
            organization_id=uuid4(),
        )
        await queries.note_session(tx, session_id, user_id, device.ip_address, device.user_agent)
        mail = await mails.queue(tx, "verify", email) if "org_id" not in claims else None
    if mail is None:
        return grant
    # The first sign-in of somebody who came by another way than our sign-up.
    spawn(mails.send(desk.database.gate, desk.keycloak, desk.settings, mail))
    user = await desk.keycloak.user(user_id)
    if user is None:
        return grant
    try:
        await desk.keycloak.set_organization(user, organization_id)
    except Refused as refused:
        log.warning("a token goes without its organization, which the database knows: %s", refused)
        return grant
    return await desk.keycloak.refresh(grant.refresh_token)


async def _end_quietly(desk: Desk, session_id: str) -> None:
    try:
        await desk.keycloak.end_session(session_id)
    except (SignInUnavailable, Refused) as error:
        log.info("an unfinished sign-in's session was left to expire: %s", error)


def spawn(work: Coroutine[Any, Any, None]) -> None:
    """Do it after the answer. What must not be lost has a row that the sweep finds."""
    task = asyncio.create_task(_logged(work))
    _running.add(task)
    task.add_done_callback(_running.discard)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await attempt("work after an answer", work)
    except Exception:
        log.exception("work after an answer failed")
