"""Tokens of connected accounts, for git: opened, renewed where they have expired, shown to their own server alone."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import orjson

from kijko.clients.forges import Forge, ForgeRefused, Forges, Tokens
from kijko.clients.git import Credential
from kijko.core.crypto import Box, Unreadable
from kijko.core.tenancy import OrgReader, SystemReader
from kijko.models.enums import GitProvider
from kijko.services.projects import connection_queries as queries
from kijko.services.projects.locations import Known, Location, read

_EARLY: Final = timedelta(seconds=60)
_HOLD_S: Final = 30.0
_LOOK_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Keyring:
    """What it takes to get at tokens. `door`: as the person, or past the wall for who works in people's names."""

    door: OrgReader | SystemReader
    forges: Forges
    box: Box


def seal(box: Box, tokens: Tokens) -> bytes:
    """Tokens as they are kept."""
    return box.seal(orjson.dumps({"access": tokens.access, "refresh": tokens.refresh}))


def unseal(box: Box, kept: bytes) -> Tokens | None:
    """The tokens, without when they expire; None where the key they were sealed with is gone."""
    try:
        found = orjson.loads(box.open(kept))
    except Unreadable:
        return None
    return Tokens(found["access"], found["refresh"])


async def token(keys: Keyring, person: UUID, provider: GitProvider) -> str | None:
    """A person's access token, good for a minute at the least; None where they have no connection that works.

    Raises:
        ForgeUnavailable: it has to be renewed, and the provider does not answer.
    """
    forge = keys.forges.get(provider)
    if forge is None or not forge.is_set_up:
        return None
    for _ in range(int(_HOLD_S / _LOOK_S)):
        kept = await queries.get(keys.door, person, provider)
        tokens = unseal(keys.box, kept.tokens) if kept is not None else None
        if kept is None or tokens is None:
            return None
        if kept.expires_at is None or kept.expires_at > datetime.now(UTC) + _EARLY:
            return tokens.access
        if tokens.refresh is None:
            return None
        if await queries.hold(keys.door, person, provider, kept.tokens, _HOLD_S):
            # Once begun it is ended, whoever goes away: the provider has given the old refresh token up by then.
            return await asyncio.shield(_renew(keys, forge, person, provider, kept.tokens, tokens.refresh))
        await asyncio.sleep(_LOOK_S)  # somebody renews it now
    return None


async def _renew(
    keys: Keyring, forge: Forge, person: UUID, provider: GitProvider, kept: bytes, refresh: str
) -> str | None:
    try:
        fresh = await forge.refresh(refresh)
    except ForgeRefused:
        await queries.drop_stale(keys.door, person, provider, kept)
        return None
    except Exception:
        await queries.release(keys.door, person, provider)
        raise
    whole = Tokens(fresh.access, fresh.refresh or refresh)
    await queries.renew(keys.door, person, provider, kept, fresh=seal(keys.box, whole), expires_at=fresh.expires_at)
    return fresh.access


async def credential(keys: Keyring, person: UUID, at: Location) -> Credential | None:
    """What a person shows to a repository's server; None where they have nothing that is meant for it.

    Raises:
        ForgeUnavailable: see `token`.
    """
    if at.provider is None or at.provider not in keys.forges:
        return None
    found = await token(keys, person, at.provider)
    return keys.forges[at.provider].credential(found) if found is not None else None


async def for_ingestion(
    keys: Keyring, known: Known, repository_id: UUID, url: str, starter: UUID | None
) -> Credential | None:
    """What to fetch a repository with: the connection of who added it, or of who started the ingestion.

    Each counts only as long as they may change the project's sources.

    Args:
        keys: with a door past the wall.
        known: whose servers are known.
        repository_id: the repository.
        url: its address, as it is kept.
        starter: who started the ingestion; None for a webhook.

    Raises:
        ForgeUnavailable: see `token`.
    """
    at = read(url, known)
    if isinstance(at, str):
        return None
    for person in await keys.door.all(queries.WHO_MAY_FETCH, repository_id, starter):
        found = await credential(keys, person, at)
        if found is not None:
            return found
    return None
