"""Every statement on model_keys but those of the master's rotation."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from kijko.core.db import Json, Query, Scalar, Statement
from kijko.core.envelope import Sealed
from kijko.core.tenancy import GateReader, OrgReader, OrgTx, SystemReader

_UTC = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
_WIRE = (
    "k.provider, k.hint, "
    "to_char(k.created_at at time zone 'UTC', " + _UTC + ') as "createdAt", '
    "to_char(k.updated_at at time zone 'UTC', " + _UTC + ') as "updatedAt"'
)
_LIST = Json(
    "select coalesce(json_agg(row_to_json(r)), '[]'::json) from (select "
    + _WIRE
    + " from model_keys k where k.organization_id = (select kijko.current_org()) order by k.provider) r"
)
_GET = Json(
    "select row_to_json(r) from (select "
    + _WIRE
    + " from model_keys k where k.organization_id = (select kijko.current_org()) and k.provider = $1::text) r"
)
_PUT = Scalar(
    bool,
    "select kijko.put_model_key($1::text, $2::uuid, $3::text, $4::bytea, $5::bytea, $6::text) is null",
    writes=True,
)
_DELETE = Statement(
    "delete from model_keys where organization_id = (select kijko.current_org()) and provider = $1::text"
)
_PROVIDERS = Scalar(str, "select kijko.providers_with_key()")
_ACTIVE = Scalar(UUID, "select kijko.current_org()")


async def list_all(reader: OrgReader) -> bytes:
    """[ModelKey] as the wire's JSON."""
    return await reader.json(_LIST) or b"[]"


async def get(tx: OrgTx, provider: str) -> bytes | None:
    """The ModelKey as the wire's JSON."""
    return await tx.json(_GET, provider)


async def active(tx: OrgTx) -> UUID | None:
    """The organization that a key would be of."""
    return await tx.first(_ACTIVE)


async def put(tx: OrgTx, provider: str, version: UUID, sealed: Sealed, hint: str) -> None:
    """Keeps it in the place of an earlier one. Raises Raised (42501) for who is no owner or admin."""
    await tx.one(_PUT, provider, version, sealed.master_id, sealed.wrapped, sealed.content, hint)


async def delete(tx: OrgTx, provider: str) -> bool:
    """Whether there was one."""
    return await tx.run(_DELETE, provider) > 0


async def providers(reader: OrgReader | OrgTx) -> list[str]:
    """Where the active organization has a key."""
    return await reader.all(_PROVIDERS)


@dataclass(frozen=True, slots=True)
class Kept:
    """A key as it lies in its row."""

    organization_id: UUID
    provider: str
    version: UUID
    master_id: str
    wrapped_key: bytes
    sealed_key: bytes


_OF = Query(
    Kept,
    """
    select k.organization_id, k.provider, k.version, k.master_id, k.wrapped_key, k.sealed_key
    from unnest($1::uuid[], $2::text[]) asked (organization_id, provider)
    join model_keys k on k.organization_id = asked.organization_id and k.provider = asked.provider
    """,
)


async def of(reader: SystemReader, organizations: Sequence[UUID], providers: Sequence[str]) -> list[Kept]:
    """Those that there are of these pairs."""
    return await reader.all(_OF, list(organizations), list(providers))


_OF_TRIALS = Query(
    Kept,
    """
    select k.organization_id, k.provider, k.version, k.master_id, k.wrapped_key, k.sealed_key
    from kijko.model_keys_of_trials($1::uuid[], $2::text[]) k
    """,
)


async def of_trials(reader: GateReader, organizations: Sequence[UUID], providers: Sequence[str]) -> list[Kept]:
    """The same, of those organizations that have a trial under way."""
    return await reader.all(_OF_TRIALS, list(organizations), list(providers))
