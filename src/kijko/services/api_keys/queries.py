"""Every statement on api_keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kijko.core.db import Json, Query, Scalar, Statement
from kijko.core.tenancy import GateReader, OrgReader, OrgTx, SystemTx

_UTC = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
_WIRE = (
    'k.id, k.user_id as "userId", k.name, k.prefix, k.scopes, '
    "to_char(k.created_at at time zone 'UTC', " + _UTC + ') as "createdAt", '
    "to_char(k.last_used_at at time zone 'UTC', " + _UTC + ') as "lastUsedAt", '
    "to_char(k.expires_at at time zone 'UTC', " + _UTC + ') as "expiresAt", '
    "to_char(k.rotated_at at time zone 'UTC', " + _UTC + ') as "rotatedAt"'
)
_LIST = Json(
    "select coalesce(json_agg(row_to_json(r)), '[]'::json) from (select "
    + _WIRE
    + " from api_keys k where k.organization_id = (select kijko.current_org()) order by k.created_at desc, k.id) r"
)
_GET = Json("select row_to_json(r) from (select " + _WIRE + " from api_keys k where k.id = $1::uuid) r")
_MAKE = Scalar(
    bool,
    "select kijko.make_api_key($1::uuid, $2::text, $3::text, $4::bytea, $5::text[], $6::timestamptz, $7::integer)",
    writes=True,
)
_ROTATE = Scalar(
    str, "select kijko.rotate_api_key($1::uuid, $2::uuid, $3::text, $4::bytea, $5::integer, $6::integer)", writes=True
)
_DELETE = Statement("delete from api_keys where id = $1::uuid")


async def list_all(reader: OrgReader) -> bytes:
    """[ApiKey] as the wire's JSON, newest first: the caller's, for an owner or admin everybody's."""
    return await reader.json(_LIST) or b"[]"


async def get(tx: OrgTx, key_id: UUID) -> bytes | None:
    """The ApiKey as the wire's JSON."""
    return await tx.json(_GET, key_id)


async def make(
    tx: OrgTx,
    key_id: UUID,
    *,
    name: str,
    prefix: str,
    key_hash: bytes,
    scopes: Sequence[str],
    expires_at: datetime | None,
    most: int,
) -> bool:
    """Writes a key; False where the organization has `most` living ones."""
    return await tx.one(_MAKE, key_id, name, prefix, key_hash, list(scopes), expires_at, most)


async def rotate(tx: OrgTx, old: UUID, fresh: UUID, *, prefix: str, key_hash: bytes, grace_s: int, most: int) -> str:
    """Puts a new key in an old one's place: done, unknown, not_yours, rotated, expired or limit."""
    return await tx.one(_ROTATE, old, fresh, prefix, key_hash, grace_s, most)


async def delete(tx: OrgTx, key_id: UUID) -> bool:
    """Whether there was such a key that the caller may revoke."""
    return await tx.run(_DELETE, key_id) > 0


@dataclass(frozen=True, slots=True)
class Admitted:
    """A key that works, whose it is, and whether it has the scope; then also how many API calls were taken."""

    id: UUID
    user_id: UUID
    organization_id: UUID
    prefix: str
    scopes: list[str]
    expires_at: datetime | None
    email: str
    name: str
    allowed: bool
    taken: int
    quota: dict[str, Any] | None  # {metric, limit, used, resetsAt} after the last of them; None without a limit


_ADMIT = Query(
    Admitted,
    "select * from kijko.admit_key($1::bytea, $2::uuid, $3::text, $4::integer, $5::uuid, $6::boolean)",
    writes=True,
)
_NOTE = Scalar(bool, "select kijko.note_keys_used($1::uuid[]) is null", writes=True)
# Whoever asked longest ago comes first, so that every maker has their turn.
_MAKERS = Scalar(
    UUID,
    """
    select k.user_id
    from api_keys k
    where k.last_used_at > now() - interval '10 minutes'
    group by k.user_id
    having coalesce(min(k.maker_asked_at), '-infinity') < now() - interval '45 seconds'
    order by min(k.maker_asked_at) nulls first
    limit $1
    """,
)
_ASKED = Statement("update api_keys set maker_asked_at = now() where user_id = any($1::uuid[])")
_DELETE_OF = Statement("delete from api_keys where user_id = any($1::uuid[])")
_FORGET = Statement("delete from api_keys where expires_at < now() - interval '30 days'")


async def admit(
    reader: GateReader,
    key_hash: bytes,
    wanted: UUID | None,
    scope: str | None,
    *,
    many: int,
    call: UUID,
    repeated: bool,
) -> Admitted:
    """Whose key it is; with the scope, API calls are taken: as many as asked for, or those that are left.

    Args:
        reader: before a tenant is known. key_hash: the key's. wanted: the organization that was named, if one was.
        scope: None for what no key may. many: how many calls. call: an id for them. repeated: they may have been taken.

    Raises:
        Raised: KJ401, KJ404 or KJ429. CommitUnknown: the connection broke; ask again, as repeated.
    """
    return await reader.one(_ADMIT, key_hash, wanted, scope, many, call, repeated)


async def note(reader: GateReader, keys: Sequence[UUID]) -> None:
    """Writes down that these were used."""
    await reader.one(_NOTE, list(keys))


async def makers(tx: SystemTx, most: int) -> list[UUID]:
    """Whose keys were used lately, and who were not asked after for a while."""
    return await tx.all(_MAKERS, most)


async def asked(tx: SystemTx, makers: Sequence[UUID]) -> None:
    """The sign-in server was asked after these."""
    await tx.run(_ASKED, list(makers))


async def delete_of(tx: SystemTx, makers: Sequence[UUID]) -> int:
    """Revokes every key of these people; how many."""
    return await tx.run(_DELETE_OF, list(makers))


async def forget(tx: SystemTx) -> int:
    """Deletes keys that expired a month ago; how many."""
    return await tx.run(_FORGET)
