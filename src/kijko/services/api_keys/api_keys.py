"""Making, rotating and revoking keys: for signed-in people."""

from uuid import UUID, uuid4

from kijko.core.errors import Forbidden
from kijko.core.tenancy import OrgReader, OrgTx, Principal
from kijko.models.api_keys import CreateApiKeyRequest
from kijko.services.api_keys import queries, rules
from kijko.services.api_keys.errors import ApiKeyLimit, ApiKeyNotFound, ApiKeyOver
from kijko.services.organizations import access


async def list_own(reader: OrgReader) -> bytes:
    """[ApiKey] as JSON, newest first: the caller's, for an owner or admin everybody's in the organization."""
    return await queries.list_all(reader)


async def create(tx: OrgTx, principal: Principal, body: CreateApiKeyRequest, *, most: int) -> bytes:
    """Makes a key; answers the ApiKeyWithSecret as JSON, the only time that it is in clear.

    Raises:
        Invalid: expiresAt is not ahead, or too far. ApiKeyLimit: the organization has `most` living keys.
        OrganizationNotFound: see access.require_meant.
    """
    await access.require_meant(tx, principal)
    expires_at = rules.end_of(body.expires_at)
    secret, key_id = rules.make(), uuid4()
    scopes = list(dict.fromkeys(rules.BY_DEFAULT if body.scopes is None else body.scopes))
    made = await queries.make(
        tx,
        key_id,
        name=body.name,
        prefix=secret.prefix,
        key_hash=secret.hash,
        scopes=scopes,
        expires_at=expires_at,
        most=most,
    )
    if not made:
        raise ApiKeyLimit(f"Your organization has {most} API keys, which is all it may. Revoke one that is not used.")
    return await _shown(tx, key_id, secret)


async def rotate(tx: OrgTx, key_id: UUID, *, grace_s: int, most: int) -> bytes:
    """A new key in the place of one of the caller's; the old one works for `grace_s` more seconds. As `create`.

    Raises:
        ApiKeyNotFound: the caller sees none with that id. Forbidden: it is somebody else's.
        ApiKeyOver: it has expired, or was rotated before. ApiKeyLimit: `most` others work out their grace.
    """
    secret, fresh = rules.make(), uuid4()
    outcome = await queries.rotate(
        tx, key_id, fresh, prefix=secret.prefix, key_hash=secret.hash, grace_s=grace_s, most=most
    )
    match outcome:
        case "done":
            return await _shown(tx, fresh, secret)
        case "unknown":
            raise ApiKeyNotFound
        case "not_yours":
            raise Forbidden(
                "Only its maker may rotate a key, since the new one acts as them too. You may revoke it, and make one "
                "of your own."
            )
        case "limit":
            raise ApiKeyLimit(
                f"In your organization {most} rotated keys still work, which is all that may. Rotate it without "
                "graceSeconds, or revoke some of those."
            )
        case _:
            raise ApiKeyOver


async def revoke(tx: OrgTx, key_id: UUID) -> None:
    """Ends a key at once, in every process. Raises ApiKeyNotFound."""
    if not await queries.delete(tx, key_id):
        raise ApiKeyNotFound


async def _shown(tx: OrgTx, key_id: UUID, secret: rules.Secret) -> bytes:
    found = await queries.get(tx, key_id)
    if found is None:
        raise ApiKeyNotFound  # revoked by somebody since the statement before
    # Put in here: what Postgres was never given cannot stand in its log.
    return b'%s,"key":"%s"}' % (found.removesuffix(b"}"), secret.text.encode())
