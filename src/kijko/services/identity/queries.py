"""Every statement of sign-in but the sweep's. Before a tenant is known they call functions, and touch no table."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from kijko.core.db import Query, Scalar, Statement
from kijko.core.tenancy import GateTx, OrgReader, SystemTx

Gate: TypeAlias = GateTx | SystemTx

# ---- people ------------------------------------------------------------------------------------------------------

_REGISTER = Scalar(
    UUID,
    "select kijko.register($1::uuid, $2::text, $3::text, $4::text, $5::boolean, $6::text, $7::uuid)",
    writes=True,
)


async def register(
    tx: Gate,
    *,
    user_id: UUID,
    email: str,
    first_name: str,
    last_name: str,
    email_verified: bool,
    organization_name: str,
    organization_id: UUID,
) -> UUID:
    """The person's default organization; person and organization are made where they are missing.

    Raises:
        Raised (KJ401): the account is being deleted.
    """
    return await tx.one(
        _REGISTER, user_id, email, first_name, last_name, email_verified, organization_name, organization_id
    )


_NOTE_SESSION = Statement("select kijko.note_session($1::text, $2::uuid, $3::text, $4::text)")


async def note_session(tx: Gate, session_id: str, user_id: UUID, ip_address: str, user_agent: str | None) -> None:
    """Remember from where a session was begun."""
    await tx.run(_NOTE_SESSION, session_id, user_id, ip_address, user_agent)


@dataclass(frozen=True, slots=True)
class Profile:
    """The caller in their active organization; without one, the last three are None."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    email_verified: bool
    org_id: UUID | None
    role: str | None
    plan: str | None


_PROFILE = Query(
    Profile,
    """
    select u.id, u.email, u.first_name, u.last_name, u.email_verified,
      kijko.current_org() as org_id, kijko.current_role() as role, kijko.current_plan() as plan
    from users u
    where u.id = (select auth.uid())
    """,
)


async def profile(reader: OrgReader) -> Profile | None:
    """The caller, or None when only the sign-in server knows them so far."""
    return await reader.first(_PROFILE)


_RENAME = Statement(
    """
    update users
    set first_name = $1::text, last_name = $2::text, updated_at = now()
    where id = (select auth.uid())
    """
)


async def rename(reader: OrgReader, first_name: str, last_name: str) -> None:
    """Change the caller's names."""
    await reader.run(_RENAME, first_name, last_name)


# ---- signing up --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StaleSignup:
    """A sign-up whose process died. `user_id` is known once its account was condemned."""

    id: UUID
    email: str
    user_id: UUID | None


_BEGIN_SIGNUP = Statement("select kijko.begin_signup($1::uuid, $2::text, $3::integer)")
_FINISH_SIGNUP = Statement("select kijko.finish_signup($1::uuid)")
_STALE_SIGNUPS = Query(StaleSignup, "select id, email, user_id from kijko.stale_signups($1::text)")
_CONDEMN_SIGNUP = Scalar(str, "select kijko.condemn_signup($1::uuid, $2::uuid, $3::uuid)", writes=True)


async def begin_signup(tx: Gate, attempt: UUID, email: str, seconds: int) -> None:
    """Say that an account is about to be made; past that time the sweep takes back what is not finished."""
    await tx.run(_BEGIN_SIGNUP, attempt, email, seconds)


async def finish_signup(tx: Gate, attempt: UUID) -> None:
    """Nothing of the attempt is left to do."""
    await tx.run(_FINISH_SIGNUP, attempt)


async def stale_signups(tx: Gate, email: str | None = None) -> list[StaleSignup]:
    """Sign-ups that a crash cut off, at most 100, oldest first."""
    return await tx.all(_STALE_SIGNUPS, email)


async def condemn_signup(tx: Gate, attempt: UUID, user_id: UUID, *, besides: UUID | None = None) -> str:
    """`condemned`: the account may be deleted; else `registered`, `busy` (but for the sign-up `besides`) or `gone`."""
    return await tx.one(_CONDEMN_SIGNUP, attempt, user_id, besides)


# ---- refresh tokens and one-time codes ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RefreshClaim:
    """Who exchanges a refresh token: `mine`, `taken`, `answered` (with the answer) or `ended`."""

    state: str
    answer: str | None


_CLAIM_REFRESH = Query(
    RefreshClaim,
    "select state, answer from kijko.claim_refresh($1::bytea, $2::text, $3::integer, $4::integer)",
    writes=True,
)
_KEEP_REFRESH = Scalar(bool, "select kijko.keep_refresh($1::bytea, $2::text, $3::text, $4::integer)", writes=True)
_DROP_REFRESH = Statement("select kijko.drop_refresh($1::bytea)")
_KEEP_CODE = Statement("select kijko.keep_code($1::bytea, $2::text, $3::text, $4::integer)")
_TAKE_CODE = Scalar(str, "select kijko.take_code($1::bytea)", writes=True)


async def claim_refresh(tx: Gate, token: bytes, session_id: str | None, lease_s: int, reuse_s: int) -> RefreshClaim:
    """Ask to be the one who exchanges the refresh token of this hash."""
    return await tx.one(_CLAIM_REFRESH, token, session_id, lease_s, reuse_s)


async def keep_refresh(tx: Gate, token: bytes, session_id: str, answer: str, reuse_s: int) -> bool:
    """Keep the answer for whoever comes with the same token; False when the session ended meanwhile."""
    return await tx.one(_KEEP_REFRESH, token, session_id, answer, reuse_s)


async def drop_refresh(tx: Gate, token: bytes) -> None:
    """Give the claim back."""
    await tx.run(_DROP_REFRESH, token)


async def keep_code(tx: Gate, code: bytes, session_id: str, answer: str, seconds: int) -> None:
    """Keep what a one-time code buys."""
    await tx.run(_KEEP_CODE, code, session_id, answer, seconds)


async def take_code(tx: Gate, code: bytes) -> str | None:
    """What the code buys, once."""
    return await tx.one(_TAKE_CODE, code)


# ---- the ends of sessions ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KnownSession:
    """What is known here of one of the caller's sessions."""

    session_id: str
    ip_address: str | None
    user_agent: str | None
    ended: bool


_SIGN_OUT = Statement("select kijko.sign_out($1::text, $2::uuid, $3::integer)")
_SIGNED_OUT = Statement("select kijko.signed_out($1::text)")
_END_SESSION = Statement("select kijko.end_session($1::text, $2::uuid, $3::integer)")
_END_BEFORE = Statement("select kijko.end_sessions_before($1::uuid, $2::timestamptz, $3::text)")
_SESSION_PERSON = Scalar(UUID, "select kijko.session_person($1::text)")
_MY_SESSIONS = Query(KnownSession, "select session_id, ip_address, user_agent, ended from kijko.my_sessions()")


async def sign_out(tx: Gate, session_id: str, user_id: UUID, seconds: int) -> None:
    """Refuse a session, and note that the sign-in server must still end it."""
    await tx.run(_SIGN_OUT, session_id, user_id, seconds)


async def signed_out(tx: Gate, session_id: str) -> None:
    """The sign-in server has ended it."""
    await tx.run(_SIGNED_OUT, session_id)


async def end_session(tx: Gate, session_id: str, user_id: UUID | None, seconds: int) -> None:
    """Refuse a session that the sign-in server has ended itself."""
    await tx.run(_END_SESSION, session_id, user_id, seconds)


async def end_sessions_before(tx: Gate, user_id: UUID, instant: datetime, except_session_id: str | None) -> None:
    """Refuse every access token of a person from before the instant, but for one session's."""
    await tx.run(_END_BEFORE, user_id, instant, except_session_id)


async def session_person(tx: Gate, session_id: str) -> UUID | None:
    """Who began that session here."""
    return await tx.one(_SESSION_PERSON, session_id)


async def my_sessions(reader: OrgReader) -> list[KnownSession]:
    """The caller's sessions, living and lately ended."""
    return await reader.all(_MY_SESSIONS)


# ---- passwords ---------------------------------------------------------------------------------------------------

_CLAIM_PASSWORD = Scalar(bool, "select kijko.claim_password($1::uuid, $2::uuid, $3::integer)", writes=True)
_DROP_PASSWORD_CLAIM = Statement("select kijko.drop_password_claim($1::uuid, $2::uuid)")


async def claim_password(tx: Gate, user_id: UUID, claim: UUID, seconds: int) -> bool:
    """Whether the caller may change that person's password now; then nobody else may, for so many seconds."""
    return await tx.one(_CLAIM_PASSWORD, user_id, claim, seconds)


async def drop_password_claim(tx: Gate, user_id: UUID, claim: UUID) -> None:
    """Give the claim back."""
    await tx.run(_DROP_PASSWORD_CLAIM, user_id, claim)


# ---- mails -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that is due: `verify` or `reset`."""

    id: UUID
    kind: str
    email: str


_QUEUE_MAIL = Scalar(UUID, "select kijko.queue_mail($1::text, $2::text, $3::integer)", writes=True)
_MAIL_SENT = Statement("select kijko.mail_sent($1::uuid)")
_WATCH_RESET = Statement("select kijko.watch_reset($1::uuid, $2::timestamptz, $3::integer)")


async def queue_mail(tx: Gate, kind: str, email: str, seconds: int) -> UUID:
    """Note a mail that is about to be sent; for so many seconds it is worth sending."""
    return await tx.one(_QUEUE_MAIL, kind, email, seconds)


async def mail_sent(tx: Gate, mail_id: UUID) -> None:
    """It was sent, or is not to be."""
    await tx.run(_MAIL_SENT, mail_id)


async def watch_reset(tx: Gate, user_id: UUID, password_since: datetime | None, seconds: int) -> None:
    """A link to a new password is out for so many seconds."""
    await tx.run(_WATCH_RESET, user_id, password_since, seconds)
