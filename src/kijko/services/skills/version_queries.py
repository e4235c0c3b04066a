"""Statements on what was: versions of a skill, and a skill as a file."""

from typing import Final
from uuid import UUID

from kijko.core.db import Json, Query
from kijko.core.tenancy import OrgReader, OrgTx

_MOST: Final = 2**31 - 1
_UTC = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
_WIRE = (
    'v.version, v.prompt_template as "promptTemplate", v.model, v.parameters, v.input_schema as "inputSchema", '
    'v.output_format as "outputFormat", v.context, '
    "to_char(v.created_at at time zone 'UTC', " + _UTC + ') as "createdAt", v.created_by as "createdBy"'
)
# Of a skill that the caller does not see there is none, and every skill has one.
# As many of the newest as come to four million characters, and the newest at any rate.
_LIST = Json(
    """
    with near as (
      select v.version,
        sum(char_length(v.prompt_template) + coalesce(char_length(v.input_schema::text), 0))
          over (order by v.version desc) as characters
      from skill_versions v
      where v.skill_id = $1::uuid
      order by v.version desc
      limit 1000
    )
    select json_agg(r order by r.version desc)
    from (
      select """
    + _WIRE
    + """
      from skill_versions v
      join near n on n.version = v.version
      where v.skill_id = $1 and (n.characters <= 4000000 or n.version = (select max(m.version) from near m))
    ) r
    """
)
_ONE = Json(
    "select row_to_json(r) from (select "
    + _WIRE
    + " from skill_versions v where v.skill_id = $1::uuid and v.version = $2::integer) r"
)
_EXPORT = Json(
    """
    select json_build_object('skill', row_to_json(r), 'version', '1.0')
    from (
      select s.name, s.description, s.category, s.prompt_template as "promptTemplate", s.model, s.parameters,
        s.input_schema as "inputSchema", s.output_format as "outputFormat", s.context - 'projectId' as context,
        s.is_active as "isActive", false as "isPublic", 0 as "starCount", null::numeric as rating, 0 as "ratingCount"
      from skills s
      where s.id = $1::uuid
    ) r
    """
)
_TAKEN = Query(str, "select lower(s.name) from skills s where s.user_id = auth.uid() and lower(s.name) like $1::text")


async def list_all(reader: OrgReader, skill_id: UUID) -> bytes | None:
    """The newest thousand versions as a list of SkillVersion, the newest first; None without the skill."""
    return await reader.json(_LIST, skill_id)


async def one(reader: OrgReader | OrgTx, skill_id: UUID, version: int) -> bytes | None:
    """A SkillVersion as JSON, or None."""
    return await reader.json(_ONE, skill_id, version) if 0 < version <= _MOST else None


async def export(reader: OrgReader, skill_id: UUID) -> bytes | None:
    """A SkillExport as JSON, or None without the skill."""
    return await reader.json(_EXPORT, skill_id)


async def taken(tx: OrgTx, beginning: str) -> set[str]:
    """The caller's names that begin so, in small letters."""
    escaped = beginning.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return set(await tx.all(_TAKEN, escaped + "%"))
