"""Signing up: an account at the sign-in server, a person with an organization here, and a session; or nothing at all.

The commit of the database is the moment it becomes true. Before it, everything can be taken back: what was begun is
written down first, a failing step undoes what was made, and what a crash leaves behind is undone by the sweep, or by
the next sign-up with that address. An account that its owner logs in to meanwhile is completed instead.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from kijko.clients.keycloak import Grant, Refused, SignInUnavailable
from kijko.core.db.errors import CommitUnknown, DatabaseError
from kijko.core.errors import Invalid
from kijko.models.auth import SignupRequest
from kijko.services import invitations
from kijko.services.identity import mails, queries, refusals, rules, sweep
from kijko.services.identity.desk import Desk, spawn
from kijko.services.identity.errors import EmailExists, InvalidCredentials, WeakPassword
from kijko.services.identity.login import check_password
from kijko.services.identity.rules import Device

log = logging.getLogger(__name__)

# Longer than the deadlines of all its steps together; after that its process is taken for dead.
_LEASE_S: Final = 45


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One sign-up: its row, and the id of the organization: a new one, or the one that an invitation leads to."""

    id: UUID
    organization_id: UUID
    new: SignupRequest
    device: Device


async def signup(desk: Desk, asked: SignupRequest, device: Device) -> Grant:
    """A new person, signed in.

    Raises:
        EmailExists, WeakPassword, Invalid: what is wrong with the request.
        InvitationNotFound, InvitationExpired, WrongRecipient: its invitation does not lead anywhere for this address.
        Raised: KJ429 where the inviting organization's plan has become too small.
        SignInUnavailable, DatabaseError: a part does not answer; nothing was made.
    """
    new = _checked(asked)
    async with desk.database.gate() as tx:
        joins = await invitations.check(tx, new.invitation_token, new.email) if new.invitation_token else None
        attempt = _Attempt(uuid4(), joins or uuid4(), new, device)
        await queries.begin_signup(tx, attempt.id, new.email, _LEASE_S)
    try:
        user_id = await _create(desk, attempt)
    except (EmailExists, Invalid):
        async with desk.database.gate() as tx:
            await queries.finish_signup(tx, attempt.id)
        raise
    try:
        grant, mail = await _complete(desk, attempt, user_id)
    except BaseException as error:
        await asyncio.shield(_undo(desk, attempt.id, user_id, error))
        raise
    if mail is not None:
        spawn(mails.send(desk.database.gate, desk.keycloak, desk.settings, mail))
    return grant


def _checked(asked: SignupRequest) -> SignupRequest:
    if not asked.password.strip():
        raise WeakPassword(field="password")
    return SignupRequest(
        email=rules.email(asked.email),
        password=asked.password,
        first_name=rules.name(asked.first_name, "first_name"),
        last_name=rules.name(asked.last_name, "last_name"),
        invitation_token=asked.invitation_token,
    )


async def _create(desk: Desk, attempt: _Attempt) -> UUID:
    try:
        return await _create_once(desk, attempt)
    except EmailExists:
        # Perhaps a sign-up that a crash cut off; then its account is taken back now rather than in a minute.
        if not await sweep.clear_signups(desk.database, desk.keycloak, attempt.new.email, asking=attempt.id):
            raise
    return await _create_once(desk, attempt)


async def _create_once(desk: Desk, attempt: _Attempt) -> UUID:
    new = attempt.new
    try:
        return await desk.keycloak.create_user(
            email=new.email,
            password=new.password,
            first_name=new.first_name,
            last_name=new.last_name,
            organization_id=attempt.organization_id,
            email_verified=new.invitation_token is not None,
        )
    except Refused as refused:
        raise refusals.of_account(refused) or refused from None


async def _complete(desk: Desk, attempt: _Attempt, user_id: UUID) -> tuple[Grant, queries.Mail | None]:
    new, device = attempt.new, attempt.device
    grant = await _first_session(desk, new)
    claims = await desk.claims(grant)
    async with desk.database.gate() as tx:
        if new.invitation_token is not None:
            # First, so that they are in that organization already, and get none of their own.
            await invitations.join(
                tx,
                new.invitation_token,
                user_id=user_id,
                email=new.email,
                first_name=new.first_name,
                last_name=new.last_name,
            )
        await queries.register(
            tx,
            user_id=user_id,
            email=new.email,
            first_name=new.first_name,
            last_name=new.last_name,
            email_verified=new.invitation_token is not None,
            organization_name=rules.organization_name(new.first_name, new.email),
            organization_id=attempt.organization_id,
        )
        await queries.note_session(tx, claims["sid"], user_id, device.ip_address, device.user_agent)
        await queries.finish_signup(tx, attempt.id)
        # The mail with the invitation has proven the address.
        mail = await mails.queue(tx, "verify", new.email) if new.invitation_token is None else None
    return grant, mail


async def _first_session(desk: Desk, new: SignupRequest) -> Grant:
    try:
        return await check_password(desk, new.email, new.password)
    except InvalidCredentials:  # its guard against guessing: somebody tries this address at the same moment
        raise SignInUnavailable from None


async def _undo(desk: Desk, attempt: UUID, user_id: UUID, cause: BaseException) -> None:
    """Take the account back, unless it may be somebody's by now. What fails here is left to the sweep."""
    if isinstance(cause, CommitUnknown):
        return
    committed = isinstance(cause, asyncio.CancelledError)  # perhaps: the task was stopped, and a commit is not
    try:
        if await _may_delete(desk, attempt, user_id, unknown=committed):
            await desk.keycloak.delete_user(user_id)
            async with desk.database.gate() as tx:
                await queries.finish_signup(tx, attempt)
    except (SignInUnavailable, Refused, DatabaseError) as error:
        log.warning("a failed sign-up was left to the sweep: %s", error)


async def _may_delete(desk: Desk, attempt: UUID, user_id: UUID, *, unknown: bool) -> bool:
    try:
        async with desk.database.gate() as tx:
            return await queries.condemn_signup(tx, attempt, user_id) == "condemned"
    except DatabaseError:
        return not unknown  # nothing was committed, and without a database nobody else can have registered it
