"""The statements on idempotency_keys."""

from dataclasses import dataclass

from kijko.core.db import Query, Statement
from kijko.core.tenancy import OrgTx, SystemTx


@dataclass(frozen=True, slots=True)
class Claimed:
    """What became of a claim; `status` and `answer` when the outcome is `kept`."""

    outcome: str
    status: int | None
    answer: bytes | None


_CLAIM = Query(
    Claimed,
    """
    select outcome, status, answer
    from kijko.claim_key($1::text, $2::text, $3::bytea, $4::integer)
    """,
    writes=True,
)

_KEEP = Statement(
    """
    insert into public.idempotency_keys
      (organization_id, user_id, path, key, fingerprint, status, answer, expires_at)
    values
      (
        kijko.current_org(), auth.uid(), $1::text, $2::text, $3::bytea, $4::smallint, $5::bytea,
        now() + interval '24 hours'
      )
    on conflict (user_id, key, path, organization_id) do update
    set status = excluded.status, answer = excluded.answer, leased_until = null, expires_at = excluded.expires_at
    """
)

_FORGET = Statement(
    """
    delete from public.idempotency_keys
    where user_id = auth.uid()
      and key = $2::text
      and path = $1::text
      and organization_id is not distinct from kijko.current_org()
      and status is null
    """
)

_FORGET_EXPIRED = Statement("delete from public.idempotency_keys where expires_at <= now()")


async def claim(tx: OrgTx, path: str, key: str, fingerprint: bytes, lease_s: int | None) -> Claimed:
    """Take the key, or say who has it."""
    return await tx.one(_CLAIM, path, key, fingerprint, lease_s)


async def keep(tx: OrgTx, path: str, key: str, fingerprint: bytes, *, status: int, answer: bytes) -> None:
    """Write the answer under the key."""
    await tx.run(_KEEP, path, key, fingerprint, status, answer)


async def forget(tx: OrgTx, path: str, key: str) -> None:
    """Give up a claim that has no answer."""
    await tx.run(_FORGET, path, key)


async def forget_expired(tx: SystemTx) -> int:
    """Delete what is older than a day; how many."""
    return await tx.run(_FORGET_EXPIRED)
