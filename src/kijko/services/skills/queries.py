"""Every statement on skills and skill_versions. Postgres writes the JSON; tests hold it to the wire model."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kijko.core.db import Json, Jsonb, Query, Scalar
from kijko.core.tenancy import OrgReader, OrgTx

_UTC = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
# The wire's names and order; row_to_json writes them a fifth faster than json_build_object does.
_WIRE = (
    's.id, s.user_id as "userId", s.name, s.description, s.category, s.prompt_template as "promptTemplate", s.model, '
    's.parameters, s.input_schema as "inputSchema", s.output_format as "outputFormat", s.context, s.version, '
    's.is_active as "isActive", false as "isPublic", s.execution_count as "executionCount", 0 as "starCount", '
    'null::numeric as rating, 0 as "ratingCount", '
    "to_char(s.last_executed_at at time zone 'UTC', " + _UTC + ') as "lastExecutedAt", '
    "to_char(s.created_at at time zone 'UTC', " + _UTC + ') as "createdAt", '
    "to_char(s.updated_at at time zone 'UTC', " + _UTC + ') as "updatedAt"'
)

WIRE: Final = _WIRE
"""The columns of a Skill, of `skills s`: a run is shown with its skill."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A skill as it is kept now."""

    revision: int
    """Grows with every save."""
    body: bytes
    """The Skill of the wire as JSON."""


def kept(told: bytes) -> Kept:
    """What a statement tells that begins with the revision and goes on with the body: one value needs no decoding."""
    revision, _, body = told.partition(b" ")
    return Kept(int(revision), body)


TOLD: Final = "select s.revision || ' ' || row_to_json(r)::text from one s cross join lateral (select " + _WIRE + ") r"
"""The end of a statement with `one`, a skill, for `kept`."""
_GET = Json("with one as (select s.* from skills s where s.id = $1::uuid) " + TOLD)


async def get(reader: OrgReader | OrgTx, skill_id: UUID) -> Kept | None:
    """The skill, or None."""
    told = await reader.json(_GET, skill_id)
    return None if told is None else kept(told)


_MATCHING = (
    "($1::text is null or s.category = $1) "
    "and ($2::boolean is null or s.is_active = $2) "
    "and ($3::text is null or strpos(lower(s.name || ' ' || coalesce(s.description, '')), lower($3)) > 0)"
)
_LIST = Json(
    """
    select json_build_object(
      'skills', coalesce((
        select json_agg(r)
        from (
          select """
    + _WIRE
    + """
          from skills s
          where """
    + _MATCHING
    + """
          order by s.updated_at desc, s.id
          limit $4::integer offset ($5::bigint - 1) * $4
        ) r
      ), '[]'::json),
      'total', total.n, 'page', $5, 'pageSize', $4, 'hasMore', total.n > $5 * $4
    )
    from (
      select count(*) as n
      from skills s
      where """
    + _MATCHING
    + """
    ) total
    """
)


async def list_page(
    reader: OrgReader,
    *,
    category: str | None,
    is_active: bool | None,
    search: str | None,
    page: int,
    page_size: int,
) -> bytes:
    """A SkillPage as the wire's JSON: last updated first."""
    return await reader.json(_LIST, category, is_active, search, page_size, page) or b""


_INSERT = Json(
    """
    with one as (
      insert into skills as s (
        organization_id, user_id, name, description, category, prompt_template, model, parameters, input_schema,
        output_format, context, is_active
      )
      values (
        kijko.current_org(), auth.uid(), $1::text, $2::text, $3::text, $4::text, $5::text, $6::jsonb, $7::jsonb,
        $8::text, $9::jsonb, $10::boolean
      )
      returning s.*
    ),
    version as (
      insert into skill_versions (
        organization_id, skill_id, version, prompt_template, model, parameters, input_schema, output_format, context,
        created_by
      )
      select
        m.organization_id, m.id, m.version, m.prompt_template, m.model, m.parameters, m.input_schema,
        m.output_format, m.context, m.user_id
      from one m
    )
    """
    + TOLD
)


async def insert(
    tx: OrgTx,
    *,
    name: str,
    description: str | None,
    category: str,
    prompt_template: str,
    model: str,
    parameters: Jsonb,
    input_schema: Jsonb | None,
    output_format: str,
    context: Jsonb | None,
    is_active: bool,
) -> Kept:
    """Inserts a skill with its first version."""
    made = await tx.json(
        _INSERT,
        name,
        description,
        category,
        prompt_template,
        model,
        parameters,
        input_schema,
        output_format,
        context,
        is_active,
    )
    return kept(made or b"")


@dataclass(frozen=True, slots=True)
class Runnable:
    """What it takes to accept a run of a skill: the newest version's input schema and model."""

    version: int
    is_active: bool
    model: str
    prompt_template: str
    input_schema: list[dict[str, object]] | None


_RUNNABLE = Query(
    Runnable,
    """
    select s.version, s.is_active, s.model, s.prompt_template, s.input_schema
    from skills s
    where s.id = $1::uuid
    """,
)


async def runnable(tx: OrgReader | OrgTx, skill_id: UUID) -> Runnable | None:
    """The part of a skill that accepting a run needs."""
    return await tx.first(_RUNNABLE, skill_id)


_MAY_READ = Scalar(bool, "select exists (select from projects p where p.id = $1::uuid)")


async def may_read_project(tx: OrgTx, project_id: UUID) -> bool:
    """Whether the caller sees that project."""
    return await tx.one(_MAY_READ, project_id)
