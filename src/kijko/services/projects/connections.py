"""Accounts at git providers that people connect. What a provider is asked is asked between transactions."""

import logging
from base64 import urlsafe_b64encode
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

from kijko.clients.forges import ForgeRefused, ForgeUnavailable
from kijko.core.tenancy import OrgReader, OrgTx, Principal
from kijko.models.connections import BatchRepositories, BatchRepository, OAuthConnection
from kijko.models.enums import GitProvider
from kijko.services.projects import connection_queries as queries
from kijko.services.projects import credentials
from kijko.services.projects.desk import Desk
from kijko.services.projects.errors import InvalidAuthorization, NotAuthenticated, UnknownGitProvider

log = logging.getLogger(__name__)

_PENDING_S: Final = 600
_MOST_REPOSITORIES: Final = 1000


def provider_of(name: str) -> GitProvider:
    """A provider by its name in an address. Raises UnknownGitProvider."""
    try:
        return GitProvider(name)
    except ValueError:
        raise UnknownGitProvider from None


async def list_own(reader: OrgReader) -> list[OAuthConnection]:
    """Every provider, and the caller's account there where one is connected."""
    kept = {each.provider: each for each in await queries.list_own(reader)}
    return [
        _wire(kept[provider]) if provider in kept else OAuthConnection(provider=provider, connected=False)
        for provider in GitProvider
    ]


async def begin(tx: OrgTx, desk: Desk, provider: GitProvider) -> str:
    """The address where the caller says yes. The way back is open for ten minutes, once, to them alone.

    Raises:
        ProviderNotConfigured: its accounts cannot be connected here.
    """
    forge = desk.forge(provider)
    state, verifier = token_urlsafe(32), token_urlsafe(64)
    await queries.begin(tx, _hash(state), provider, desk.box.seal(verifier.encode()), _PENDING_S)
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return forge.authorize_url(state, challenge)


async def finish(desk: Desk, principal: Principal, provider: GitProvider, code: str, state: str) -> OAuthConnection:
    """Connects the account that came back with a code and a state.

    Raises:
        InvalidAuthorization: the state is not the caller's, or the provider does not take the code.
        ProviderNotConfigured: see begin. ForgeUnavailable: the provider does not answer.
    """
    forge = desk.forge(provider)
    async with desk.database.org(principal) as tx:
        secret = await queries.take(tx, _hash(state), provider)
    if secret is None:
        raise InvalidAuthorization(field="state")
    try:
        tokens = await forge.exchange(code, desk.box.open(secret).decode())
        account = await forge.account(tokens.access)
    except ForgeRefused as refused:
        log.info("a connection was refused: %s", refused)
        raise InvalidAuthorization(
            f"{forge.title} did not accept this. Begin the connection again.", field="code"
        ) from None
    async with desk.database.org(principal) as tx:
        earlier = await queries.drop(tx, principal.user_id, provider)
        kept = await queries.keep(
            tx,
            provider,
            username=account.username,
            avatar_url=account.avatar_url,
            scope=tokens.scope,
            tokens=credentials.seal(desk.box, tokens),
            expires_at=tokens.expires_at,
        )
    await _end(desk, provider, earlier, but=tokens.access)
    return _wire(kept)


async def disconnect(desk: Desk, principal: Principal, provider: GitProvider) -> None:
    """Forgets the caller's account at a provider, and asks the provider to end its token."""
    async with desk.database.org(principal) as tx:
        kept = await queries.drop(tx, principal.user_id, provider)
    await _end(desk, provider, kept)


async def _end(desk: Desk, provider: GitProvider, kept: bytes | None, *, but: str = "") -> None:
    """Asks the provider to end tokens that we have forgotten, unless they are `but`, which is kept."""
    forge = desk.forges.get(provider)
    tokens = credentials.unseal(desk.box, kept) if kept is not None else None
    if tokens is None or tokens.access == but or forge is None or not forge.is_set_up:
        return
    try:
        await forge.revoke(tokens.access)
    except (ForgeRefused, ForgeUnavailable) as error:
        log.warning("a token was forgotten and could not be ended: %s", error)


async def repositories(desk: Desk, principal: Principal, provider: GitProvider) -> BatchRepositories:
    """What the caller's account at a provider may read, last changed first, at most 1,000.

    Raises:
        NotAuthenticated: there is no account connected, or it is no longer accepted.
        ProviderNotConfigured: see begin. ForgeUnavailable: the provider does not answer.
    """
    forge = desk.forge(provider)
    token = await credentials.token(desk.keyring(principal), principal.user_id, provider)
    if token is None:
        raise NotAuthenticated(field="provider")
    try:
        found = await forge.repositories(token, _MOST_REPOSITORIES)
    except ForgeRefused:
        raise NotAuthenticated(
            f"{forge.title} no longer accepts your account's connection. Connect it again.", field="provider"
        ) from None
    return BatchRepositories(repositories=[BatchRepository.model_validate(each) for each in found], total=len(found))


def _wire(kept: queries.Connection) -> OAuthConnection:
    return OAuthConnection(
        provider=GitProvider(kept.provider),
        connected=True,
        username=kept.username,
        avatar_url=kept.avatar_url,
        connected_at=kept.connected_at,
        scope=kept.scope,
    )


def _hash(state: str) -> bytes:
    return sha256(state.encode()).digest()
