"""The person who asks: profile, and the outside accounts that sign in to theirs."""

from uuid import uuid4

from kijko.clients.keycloak import Refused
from kijko.core.tenancy import Principal
from kijko.models.auth import Identity, UpdateProfileRequest, UserProfile
from kijko.services.identity import mails, queries, refusals, rules
from kijko.services.identity.desk import Desk, spawn
from kijko.services.identity.errors import IdentityNotFound, LastCredential


async def me(desk: Desk, principal: Principal) -> UserProfile:
    """The caller in their active organization. Whoever has none, because a crash came between, gets one here."""
    found = await queries.profile(desk.database.reader(principal))
    if found is None or found.org_id is None:
        await _register(desk, principal, email_verified=found is not None and found.email_verified)
        found = await queries.profile(desk.database.reader(principal))
    return _wire(found)


async def update(desk: Desk, principal: Principal, changes: UpdateProfileRequest) -> UserProfile:
    """Change the caller's names, here and at the sign-in server.

    Raises:
        Invalid: a name is not acceptable. SignInUnavailable: nothing was changed.
    """
    now = await me(desk, principal)
    first = now.first_name if changes.first_name is None else rules.name(changes.first_name, "first_name")
    last = now.last_name if changes.last_name is None else rules.name(changes.last_name, "last_name")
    if (first, last) == (now.first_name, now.last_name):
        return now
    user = await desk.keycloak.user(principal.user_id)
    if user is not None:
        try:
            await desk.keycloak.update_user(user, firstName=first, lastName=last)
        except Refused as refused:
            raise refusals.of_account(refused) or refused from None
    await queries.rename(desk.database.reader(principal), first, last)
    return now.model_copy(update={"first_name": first, "last_name": last})


async def resend_verification(desk: Desk, principal: Principal) -> None:
    """Mail the caller a link that proves their address; one that is proven already gets no mail."""
    profile = await me(desk, principal)
    async with desk.database.gate() as tx:
        mail = await mails.queue(tx, "verify", profile.email)
    spawn(mails.send(desk.database.gate, desk.keycloak, desk.settings, mail))


async def identities(desk: Desk, principal: Principal) -> list[Identity]:
    """The Google and GitHub accounts that sign in to the caller's."""
    await queries.profile(desk.database.reader(principal))  # refuses an ended session
    found = await desk.keycloak.identities(principal.user_id)
    return [Identity.model_validate({"provider": each.provider, "username": each.username}) for each in found]


async def disconnect(desk: Desk, principal: Principal, provider: str) -> None:
    """Take an outside account away.

    Raises:
        IdentityNotFound: none of that provider is connected. LastCredential: nothing else opens the account.
    """
    await queries.profile(desk.database.reader(principal))
    user_id = principal.user_id
    connected = await desk.keycloak.identities(user_id)
    gone = next((each for each in connected if each.provider == provider), None)
    if gone is None:
        raise IdentityNotFound
    has_password = await desk.keycloak.password_since(user_id) is not None
    if not has_password and len(connected) == 1:
        raise LastCredential
    await desk.keycloak.unlink(user_id, provider)
    if not has_password and not await desk.keycloak.identities(user_id):
        # Two were disconnected at the same moment, each while the other was still there.
        await desk.keycloak.link(user_id, gone)
        raise LastCredential


async def _register(desk: Desk, principal: Principal, *, email_verified: bool) -> None:
    first, _, last = principal.name.partition(" ")
    async with desk.database.gate() as tx:
        await queries.register(
            tx,
            user_id=principal.user_id,
            email=principal.email,
            first_name=first,
            last_name=last,
            email_verified=email_verified,
            organization_name=rules.organization_name(first, principal.email),
            organization_id=uuid4(),
        )


def _wire(found: queries.Profile | None) -> UserProfile:
    assert found is not None  # noqa: S101  # it was registered a moment ago, by the same person
    return UserProfile.model_validate(
        {
            "id": found.id,
            "email": found.email,
            "first_name": found.first_name,
            "last_name": found.last_name,
            "org_id": found.org_id,
            "roles": [found.role],
            "plan": found.plan,
        }
    )
