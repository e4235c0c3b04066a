"""Skills as copies: duplicates, files that are exported and imported, and the versions that were."""

from typing import Final
from uuid import UUID

from kijko.core.tenancy import OrgReader, OrgTx
from kijko.models.skills import CreateSkillRequest, DuplicateSkillRequest, ImportSkillRequest
from kijko.services.skills import change_queries, version_queries
from kijko.services.skills.errors import SkillNameExists, SkillNotFound, VersionNotFound
from kijko.services.skills.queries import Kept
from kijko.services.skills.skills import create

_LONGEST_NAME: Final = 100
_COPY: Final = " (Copy)"
_TRIES: Final = 10


async def duplicate(tx: OrgTx, skill_id: UUID, body: DuplicateSkillRequest, *, default_model: str) -> Kept:
    """A copy of a skill, the caller's own, that begins with version 1.

    Raises:
        SkillNotFound: there is none. SkillNameExists: the caller has one of that name.
        UnknownModel, ContextNotFound: as `create`.
    """
    held = await change_queries.held(tx, skill_id)
    if held is None:
        raise SkillNotFound
    name = body.name or held.name[: _LONGEST_NAME - len(_COPY)].rstrip() + _COPY
    made = CreateSkillRequest.model_validate(
        {
            "name": _COPY,  # a name of before names were looked at stays what it was
            "promptTemplate": held.prompt_template,
            "description": held.description,
            "category": held.category,
            "model": held.model,
            "parameters": held.parameters,
            "inputSchema": held.input_schema,
            "outputFormat": held.output_format,
            "context": held.context,
            "isActive": held.is_active,
        }
    )
    return await create(tx, made.model_copy(update={"name": name}), default_model=default_model)


async def export(reader: OrgReader, skill_id: UUID) -> bytes:
    """The SkillExport as JSON.

    Raises:
        SkillNotFound: there is none.
    """
    found = await version_queries.export(reader, skill_id)
    if found is None:
        raise SkillNotFound
    return found


async def import_one(tx: OrgTx, body: ImportSkillRequest, *, default_model: str) -> Kept:
    """Makes a skill of a file. Where the caller has one of its name it is called `name (1)`, or the next free number.

    Raises:
        UnknownModel, ContextNotFound: as `create`.
    """
    tried: set[str] = set()
    for _ in range(_TRIES):
        called = body.skill.model_copy(update={"name": await _free_name(tx, body.skill.name, tried)})
        try:
            async with tx.savepoint():
                return await create(tx, called, default_model=default_model)
        except SkillNameExists:
            # Taken since, by somebody who imports as well; or Postgres has other small letters for it than Python.
            tried.add(called.name.lower())
    raise SkillNameExists(field="skill.name")


async def _free_name(tx: OrgTx, wanted: str, tried: set[str]) -> str:
    taken = tried | await version_queries.taken(tx, wanted[: _LONGEST_NAME - 12])
    name, number = wanted, 0
    while name.lower() in taken:
        number += 1
        ending = f" ({number})"
        name = wanted[: _LONGEST_NAME - len(ending)].rstrip() + ending
    return name


async def versions(reader: OrgReader, skill_id: UUID) -> bytes:
    """The versions as a list of SkillVersion, the newest first.

    Raises:
        SkillNotFound: there is no such skill.
    """
    found = await version_queries.list_all(reader, skill_id)
    if found is None:
        raise SkillNotFound
    return found


async def version(reader: OrgReader, skill_id: UUID, number: int) -> bytes:
    """One SkillVersion as JSON.

    Raises:
        SkillNotFound, VersionNotFound: there is no such skill, or it has no such version.
    """
    found = await version_queries.one(reader, skill_id, number)
    if found is not None:
        return found
    raise VersionNotFound if await change_queries.held(reader, skill_id) else SkillNotFound
