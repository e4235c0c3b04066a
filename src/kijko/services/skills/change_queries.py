"""Statements that change skills, and the versions that come of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from kijko.core.db import Json, Jsonb, Query, Scalar
from kijko.core.tenancy import OrgReader, OrgTx
from kijko.services.skills.queries import TOLD, Kept, kept


@dataclass(frozen=True, slots=True)
class Held:
    """A skill as it stands before a change."""

    revision: int
    version: int
    is_mine: bool
    """Whether the caller may change it."""
    name: str
    description: str | None
    category: str
    prompt_template: str
    model: str
    parameters: dict[str, Any]
    input_schema: list[dict[str, Any]] | None
    output_format: str
    context: dict[str, Any] | None
    is_active: bool


_HELD = Query(
    Held,
    """
    select s.revision, s.version, s.user_id = auth.uid() or (select kijko.is_manager()) as is_mine, s.name,
      s.description, s.category, s.prompt_template, s.model, s.parameters, s.input_schema, s.output_format, s.context,
      s.is_active
    from skills s
    where s.id = $1::uuid
    """,
)


async def held(reader: OrgReader | OrgTx, skill_id: UUID) -> Held | None:
    """The skill as it stands, or None."""
    return await reader.first(_HELD, skill_id)


# The lock is a statement of its own: what follows it sees what was committed while it waited.
_HOLD = Scalar(UUID, "select s.id from skills s where s.id = $1::uuid for no key update")


async def hold(tx: OrgReader | OrgTx, skill_id: UUID) -> Held | None:
    """The same, and where the caller may change it, nobody else does before this transaction ends."""
    _, found = await tx.gather(_HOLD.bind_first(skill_id), _HELD.bind_first(skill_id))
    return found


_SAVE = Json(
    """
    with one as (
      update skills s
      set name = $3::text,
        description = $4::text,
        category = $5::text,
        prompt_template = $6::text,
        model = $7::text,
        parameters = $8::jsonb,
        input_schema = $9::jsonb,
        output_format = $10::text,
        context = $11::jsonb,
        is_active = $12::boolean,
        version = s.version + $13::integer,
        revision = s.revision + 1,
        updated_at = now()
      where s.id = $1::uuid and s.revision = $2::bigint
      returning s.*
    ),
    version as (
      insert into skill_versions (
        organization_id, skill_id, version, prompt_template, model, parameters, input_schema, output_format, context,
        created_by
      )
      select
        m.organization_id, m.id, m.version, m.prompt_template, m.model, m.parameters, m.input_schema,
        m.output_format, m.context, auth.uid()
      from one m
      where $13 = 1
    )
    """
    + TOLD
)


async def save(tx: OrgTx, skill_id: UUID, was: Held, becomes: Held) -> Kept | None:
    """Writes a skill where it still is what it was, with a version where that differs; None where it is not."""
    told = await tx.json(
        _SAVE,
        skill_id,
        was.revision,
        becomes.name,
        becomes.description,
        becomes.category,
        becomes.prompt_template,
        becomes.model,
        Jsonb(becomes.parameters),
        Jsonb(becomes.input_schema) if becomes.input_schema is not None else None,
        becomes.output_format,
        Jsonb(becomes.context) if becomes.context is not None else None,
        becomes.is_active,
        becomes.version - was.version,
    )
    return None if told is None else kept(told)


_SWITCH = Scalar(
    int,
    """
    with mine as (
      select s.id
      from skills s
      where s.id = any ($1::uuid[]) and (s.user_id = auth.uid() or (select kijko.is_manager()))
      order by s.id
      for no key update
    ),
    switched as (
      update skills s
      set is_active = $2::boolean, revision = s.revision + 1, updated_at = now()
      where s.id in (select m.id from mine m) and s.is_active <> $2
    )
    select count(*) from mine
    """,
    writes=True,
)
_DELETE = Scalar(list[UUID], "select kijko.delete_skills($1::uuid[], $2::bigint)", writes=True)


async def switch(tx: OrgTx, skill_ids: Sequence[UUID], *, is_active: bool) -> int:
    """Switches those of these skills that are the caller's; how many are the caller's."""
    return await tx.one(_SWITCH, list(skill_ids), is_active)


async def delete(tx: OrgTx, skill_ids: Sequence[UUID], *, revision: int | None = None) -> list[UUID]:
    """Deletes those of these skills that are the caller's, of that revision where one is said; their ids."""
    return await tx.one(_DELETE, list(skill_ids), revision)
