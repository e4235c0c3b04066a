"""Saving skills: changes, older versions put back, several switched or deleted at once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import orjson

from kijko.core.db.errors import ConstraintViolation
from kijko.core.errors import Forbidden
from kijko.core.tenancy import OrgReader, OrgTx
from kijko.models.skills import SkillContext, SkillVersion, UpdateSkillRequest
from kijko.services.skills import change_queries as queries
from kijko.services.skills import version_queries
from kijko.services.skills.change_queries import Held
from kijko.services.skills.errors import PreconditionFailed, SkillNameExists, SkillNotFound, VersionNotFound
from kijko.services.skills.queries import Kept
from kijko.services.skills.skills import checked_context, context_of, known_model, schema_of

_NOT_YOURS: Final = "Only who made this skill, and owners and admins of the organization, may change it."
_VERSIONED: Final = ("prompt_template", "model", "parameters", "input_schema", "output_format", "context")

Match = Callable[[int], bool]
"""Whether a skill of that revision is what the caller means (If-Match)."""


async def update(
    tx: OrgTx, skill_id: UUID, body: UpdateSkillRequest, *, default_model: str, match: Match | None
) -> Kept:
    """Changes the fields that are present. A change of what runs are made of makes the next version.

    Raises:
        SkillNotFound, Forbidden, PreconditionFailed: it is not there, not the caller's, not of that revision.
        UnknownModel, ContextNotFound: as `create`, where it is another one than before. SkillNameExists: as `create`.
    """
    changes: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}  # by the field's own type
    if "model" in changes:
        changes["model"] = body.model or default_model
    if "parameters" in changes:
        changes["parameters"] = body.parameters.model_dump(mode="json", exclude_none=True)
    if "input_schema" in changes:
        changes["input_schema"] = schema_of(body.input_schema)
    if "context" in changes:
        changes["context"] = context_of(body.context)
    for name in ("category", "output_format"):
        if name in changes:
            changes[name] = str(changes[name])
    return await _save(tx, skill_id, lambda was: replace(was, **changes), match=match)


async def restore(tx: OrgTx, skill_id: UUID, version: int, *, match: Match | None) -> Kept:
    """Makes what an older version has the newest one.

    Raises:
        SkillNotFound, Forbidden, PreconditionFailed: as `update`. VersionNotFound: it has no such version.
        UnknownModel, ContextNotFound: as `update`.
    """
    await _mine(tx, skill_id, match)
    found = await version_queries.one(tx, skill_id, version)
    if found is None:
        raise VersionNotFound
    old = SkillVersion.model_validate(orjson.loads(found))
    kept: dict[str, Any] = orjson.loads(found)  # as it is in the database
    return await _save(
        tx,
        skill_id,
        lambda was: replace(
            was,
            prompt_template=old.prompt_template,
            model=old.model,
            parameters=kept["parameters"],
            input_schema=kept["inputSchema"],
            output_format=str(old.output_format),
            context=kept["context"],
        ),
        match=match,
        always=True,
    )


async def delete(tx: OrgTx, skill_id: UUID, *, match: Match | None) -> None:
    """Deletes a skill with its versions, habits, reflexes and executions. The ledger stays.

    Raises:
        SkillNotFound, Forbidden, PreconditionFailed: as `update`.
    """
    was = await _mine(tx, skill_id, match)
    if not await queries.delete(tx, [skill_id], revision=was.revision if match is not None else None):
        raise PreconditionFailed if match is not None else SkillNotFound


async def held(tx: OrgTx, skill_id: UUID) -> Held:
    """A skill as it stands, for who tries it. Raises SkillNotFound."""
    found = await queries.held(tx, skill_id)
    if found is None:
        raise SkillNotFound
    return found


async def switch_all(tx: OrgTx, skill_ids: Sequence[UUID], *, is_active: bool) -> int:
    """Switches the caller's of these skills on or off, all of them or none; how many are the caller's."""
    return await queries.switch(tx, list(dict.fromkeys(skill_ids)), is_active=is_active)


async def delete_all(tx: OrgTx, skill_ids: Sequence[UUID]) -> int:
    """Deletes the caller's of these skills, all of them or none; how many."""
    return len(await queries.delete(tx, list(dict.fromkeys(skill_ids))))


async def _mine(reader: OrgReader | OrgTx, skill_id: UUID, match: Match | None, *, hold: bool = False) -> Held:
    was = await (queries.hold if hold else queries.held)(reader, skill_id)
    if was is None:
        raise SkillNotFound
    if not was.is_mine:
        raise Forbidden(_NOT_YOURS)
    if match is not None and not match(was.revision):
        raise PreconditionFailed
    return was


async def _save(
    tx: OrgTx, skill_id: UUID, change: Callable[[Held], Held], *, match: Match | None, always: bool = False
) -> Kept:
    """Saves what becomes of the skill. Who saves it at the same time waits, and changes what this made of it."""
    was = await _mine(tx, skill_id, match, hold=True)
    becomes = change(was)
    # What was allowed once stays: a form sends all of a skill, and who mends its name need not read its project.
    if becomes.model != was.model:
        await known_model(becomes.model)
    if becomes.context is not None and becomes.context != was.context:
        await checked_context(tx, SkillContext.model_validate(becomes.context))
    differs = always or any(getattr(was, name) != getattr(becomes, name) for name in _VERSIONED)
    try:
        saved = await queries.save(tx, skill_id, was, replace(becomes, version=was.version + differs))
    except ConstraintViolation as error:
        if error.name == "skills_name_key":
            raise SkillNameExists(field="name") from error
        raise
    if saved is None:  # deleted before it was held
        raise SkillNotFound
    return saved
