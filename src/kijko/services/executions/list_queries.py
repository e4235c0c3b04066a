"""Executions in numbers: pages of them, the newest, those under way, and as many as there are for an export."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from kijko.core.db import Json, Query
from kijko.core.db.codec import Arg
from kijko.core.tenancy import OrgReader
from kijko.services.executions.queries import LISTED, SHORT, UTC, WIRE
from kijko.services.skills.queries import WIRE as SKILL

_SHOWN = (
    SHORT
    + ", (select row_to_json(k) from (select "
    + SKILL
    + " from skills s where s.id = e.skill_id and s.organization_id = e.organization_id) k) as skill"
)
_MINE = "e.organization_id = (select kijko.current_org())"
# $1 is the skill, where the list is one skill's: then another index has its runs in order.
_OF_ANY = _MINE + " and $1::uuid is null"
_OF_ONE = _MINE + " and e.skill_id = $1::uuid"
_KINDS = " and ($2::text is null or e.status = $2) and ($3::text is null or e.execution_type = $3)"
_SINCE = " and e.executed_at >= $4::timestamptz"
_FITS = _KINDS + _SINCE + " and e.executed_at < $5::timestamptz"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which executions: None is any. From `start` up to, and without, `end`."""

    skill_id: UUID | None
    status: str | None
    execution_type: str | None
    start: datetime
    end: datetime


# Places and the total are found in an index alone; then the page's rows are fetched.
_PAGE_HEAD: Final = """
  with page as materialized (
    select e.id
    from executions e
    where """
_PAGE_MIDDLE: Final = """
    order by e.executed_at desc, e.id desc
    limit $6::integer offset $7::bigint
  )
  select json_build_object(
    'executions', coalesce((
      select json_agg(r order by r."executedAt" desc, r.id desc)
      from (
        select """
_PAGE_END: Final = """
        from executions e
        where e.id = any (array(select p.id from page p))
      ) r
    ), '[]'::json),
    'total', total.n, 'page', $7 / $6 + 1, 'pageSize', $6, 'hasMore', total.n > $7 + $6
  )
  from (
    select count(*) as n
    from executions e
    where """
_PAGE = Json(_PAGE_HEAD + _OF_ANY + _FITS + _PAGE_MIDDLE + _SHOWN + _PAGE_END + _OF_ANY + _FITS + ") total")
_PAGE_OF_SKILL = Json(_PAGE_HEAD + _OF_ONE + _FITS + _PAGE_MIDDLE + _SHOWN + _PAGE_END + _OF_ONE + _FITS + ") total")


async def page(reader: OrgReader, wanted: Filter, limit: int, offset: int) -> bytes:
    """An ExecutionPage as the wire's JSON: newest first."""
    query = _PAGE if wanted.skill_id is None else _PAGE_OF_SKILL
    return await reader.json(query, *_values(wanted), limit, offset) or b""


_RECENT = Json(
    """
    select coalesce(json_agg(r), '[]'::json)
    from (
      select """
    + _SHOWN
    + """
      from executions e
      where """
    + _MINE
    + """
      order by e.executed_at desc, e.id desc
      limit $1::integer
    ) r
    """
)


async def recent(reader: OrgReader, limit: int) -> bytes:
    """The newest, as a list of ExecutionWithSkill."""
    return await reader.json(_RECENT, limit) or b""


# Running ones are few, as many as the plan allows; waiting ones come out of their index, so a long queue is not read.
_UNDER_WAY = Json(
    """
    with running as (
      select e.id, e.executed_at
      from executions e
      where e.status = 'running' and """
    + _MINE
    + """
      order by e.executed_at desc, e.id desc
      limit $1::integer
    ),
    waiting as (
      select e.id, e.executed_at
      from executions e
      where e.status = 'pending' and """
    + _MINE
    + """
      order by e.available_at desc, e.id desc
      limit $1
    ),
    chosen as (
      select c.id
      from (
        select r.id, r.executed_at, true as runs from running r
        union all
        select w.id, w.executed_at, false from waiting w
      ) c
      order by c.runs desc, c.executed_at desc, c.id desc
      limit $1
    )
    select coalesce(json_agg(r order by r.status = 'running' desc, r."executedAt" desc, r.id desc), '[]'::json)
    from (
      select """
    + _SHOWN
    + """
      from executions e
      where e.id = any (array(select c.id from chosen c)) and e.status in ('pending', 'running')
    ) r
    """
)


async def under_way(reader: OrgReader, limit: int) -> bytes:
    """Those that run and then those that wait, each newest first, as a list of ExecutionWithSkill."""
    return await reader.json(_UNDER_WAY, limit) or b""


_FULL = Json(
    "select row_to_json(r) from (select "
    + WIRE
    + ", (select row_to_json(k) from (select "
    + SKILL
    + " from skills s where s.id = e.skill_id and s.organization_id = e.organization_id) k) as skill"
    + " from executions e where e.id = $1::uuid) r"
)


async def full(reader: OrgReader, execution_id: UUID) -> bytes | None:
    """An ExecutionWithSkill, with the prompt that was sent; None where there is none."""
    return await reader.json(_FULL, execution_id)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an execution is in the order, and about how many bytes its texts have."""

    id: UUID
    executed_at: datetime
    size: int


# The order's next places after one: what is asked for meanwhile is newer than all of them.
_PLACES_HEAD: Final = """
    select e.id, e.executed_at,
      (
        coalesce(octet_length(e.output), 0) + coalesce(octet_length(e.error_message), 0)
        + case
          when pg_column_compression(e.input) is null then pg_column_size(e.input) else octet_length(e.input::text)
        end
        + case
          when e.citations is null then 0
          when pg_column_compression(e.citations) is null then pg_column_size(e.citations)
          else octet_length(e.citations::text)
        end
      )::bigint as size
    from executions e
    where """
_PLACES_END: Final = """ and (e.executed_at, e.id) < ($5::timestamptz, $6::uuid)
    order by e.executed_at desc, e.id desc
    limit $7::integer
    """
_PLACES = Query(Place, _PLACES_HEAD + _OF_ANY + _KINDS + _SINCE + _PLACES_END)
_PLACES_OF_SKILL = Query(Place, _PLACES_HEAD + _OF_ONE + _KINDS + _SINCE + _PLACES_END)


async def places(reader: OrgReader, wanted: Filter, before: tuple[datetime, UUID], most: int) -> list[Place]:
    """The next executions in the order, after that moment and id."""
    query = _PLACES if wanted.skill_id is None else _PLACES_OF_SKILL
    return await reader.all(query, *_values(wanted)[:4], *before, most)


_AS_JSON = Json(
    """
    select string_agg(row_to_json(r)::text, E',\n' order by r."executedAt" desc, r.id desc)
    from (
      select """
    + LISTED
    + """, (select s.name from skills s where s.id = e.skill_id) as "skillName"
      from executions e
      where """
    + _MINE
    + """ and e.id = any ($1::uuid[])
    ) r
    """
)


async def as_json(reader: OrgReader, ids: Sequence[UUID]) -> bytes | None:
    """Those executions, newest first: objects with commas between. None where none is there any more."""
    return await reader.json(_AS_JSON, list(ids))


_AS_CELLS = Json(
    """
    select json_agg(r.cells order by r.executed_at desc, r.id desc)
    from (
      select e.executed_at, e.id, array[
        e.id::text, e.skill_id::text, (select s.name from skills s where s.id = e.skill_id), e.user_id::text,
        e.execution_type, e.reference_id::text, e.status, e.model, e.skill_version::text, e.attempts::text,
        e.retry_of::text,
        """
    + "to_char(e.executed_at at time zone 'UTC', "
    + UTC
    + "), to_char(e.completed_at at time zone 'UTC', "
    + UTC
    + """),
        e.duration_ms::text, e.prompt_tokens::text, e.completion_tokens::text,
        (e.prompt_tokens + e.completion_tokens)::text, e.cost_cents::text, e.error_code, e.error_message,
        e.input::text, e.output, e.citations::text
      ] as cells
      from executions e
      where """
    + _MINE
    + """ and e.id = any ($1::uuid[])
    ) r
    """
)
COLUMNS: Final = (
    *("id", "skillId", "skillName", "userId", "executionType", "referenceId", "status", "model", "skillVersion"),
    *("attempts", "retryOf", "executedAt", "completedAt", "durationMs", "promptTokens", "completionTokens"),
    *("tokensUsed", "costCents", "errorCode", "errorMessage", "input", "output", "citations"),
)


async def as_cells(reader: OrgReader, ids: Sequence[UUID]) -> bytes | None:
    """Those executions, newest first, as a JSON list of rows of texts, in the order of COLUMNS."""
    return await reader.json(_AS_CELLS, list(ids))


def _values(wanted: Filter) -> tuple[Arg, ...]:
    return wanted.skill_id, wanted.status, wanted.execution_type, wanted.start, wanted.end
