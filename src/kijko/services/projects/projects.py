"""Making, reading, listing, changing and deleting projects."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from kijko.core.db import Jsonb
from kijko.core.db.errors import ConstraintViolation
from kijko.core.tenancy import OrganizationNotFound, OrgReader, OrgTx
from kijko.models.base import composed
from kijko.models.enums import ChunkingStrategy, ProjectCreationStep, ProjectPrivacy
from kijko.models.projects import CreateProjectRequest, NameValidation, ProjectSort, UpdateProjectRequest
from kijko.services.projects import access, list_queries, queries, rules
from kijko.services.projects.errors import ProjectNameExists, ProjectNotFound


@dataclass(frozen=True, slots=True)
class Made:
    """A new project as JSON, and what is left to do for it."""

    project: bytes
    next_steps: list[ProjectCreationStep]


async def create(tx: OrgTx, body: CreateProjectRequest, *, allowed: frozenset[str]) -> Made:
    """Makes a project, the caller its first admin member.

    Raises:
        ProjectNameExists: the organization has one of that name. Invalid: its settings do not fit each other.
        OrganizationNotFound: the caller is no member of the organization that the request names.
    """
    second = rules.second_name(body.settings)
    wanted = rules.aligned(
        queries.Editable(
            name=body.name,
            description=body.description,
            privacy=body.privacy or ProjectPrivacy.PRIVATE,
            chunking_strategy=body.chunking_strategy or ChunkingStrategy.SEMANTIC,
            include_metadata=body.include_metadata is not False,
            anonymize_secrets=body.anonymize_secrets if body.anonymize_secrets is not None else second is not False,
            settings=rules.merged({}, body.settings),
        )
    )
    rules.check(wanted, allowed=allowed)
    before = await _enter(tx, body.organization_id)
    try:
        made = await queries.insert(
            tx,
            uuid4(),
            name=wanted.name,
            description=wanted.description,
            kind=body.type,
            privacy=wanted.privacy,
            chunking_strategy=wanted.chunking_strategy,
            include_metadata=wanted.include_metadata,
            anonymize_secrets=wanted.anonymize_secrets,
            settings=Jsonb(wanted.settings),
        )
    except ConstraintViolation as error:
        raise _meaning(error) from error
    if before is not None:
        await tx.call(queries.switch(before))
    return Made(made, rules.next_steps(body.type, with_settings=body.settings is not None))


async def _enter(tx: OrgTx, wanted: UUID | None) -> UUID | None:
    """Make another organization of the caller's the active one; answers the one that was, if it was another."""
    if wanted is None:
        return None
    active = await tx.first(queries.ACTIVE)
    if active == wanted:
        return None
    _, found = await tx.gather(queries.switch(wanted), queries.ACTIVE.bind_first())
    if found is None or active is None:
        raise OrganizationNotFound(field="organizationId")
    return active


async def get(reader: OrgReader, project_id: UUID) -> bytes:
    """The ProjectDetails as JSON. Raises ProjectNotFound."""
    found = await queries.get(reader, project_id)
    if found is None:
        raise ProjectNotFound
    return found


async def full(reader: OrgReader, project_id: UUID) -> bytes:
    """The ProjectWithRelations as JSON. Raises ProjectNotFound."""
    found = await queries.full(reader, project_id)
    if found is None:
        raise ProjectNotFound
    return found


async def stats(reader: OrgReader) -> bytes:
    """The ProjectStats as JSON, over what the caller may read."""
    return await list_queries.stats(reader)


async def list_page(
    reader: OrgReader,
    *,
    search: str | None,
    status: str | None,
    kind: str | None,
    sort: ProjectSort,
    page: int,
    page_size: int,
) -> bytes:
    """A ProjectPage as JSON; `search` looks for a text in the name, ignoring case."""
    return await list_queries.list_page(
        reader, search=composed(search) or None, status=status, kind=kind, sort=sort, page=page, page_size=page_size
    )


async def update(tx: OrgTx, project_id: UUID, body: UpdateProjectRequest, *, allowed: frozenset[str]) -> bytes:
    """Changes the fields that are present; answers the ProjectDetails as JSON.

    Raises:
        ProjectNotFound, Forbidden: see access. ProjectNameExists: another has that name.
        Invalid: the settings would not fit each other.
    """
    actions, kept = await tx.gather(access.ACTIONS.bind(project_id), queries.EDITABLE.bind_first(project_id))
    access.check(actions, "edit")
    if kept is None:
        raise ProjectNotFound
    wanted = rules.aligned(rules.changed(kept, body))
    rules.check(wanted, allowed=allowed)
    try:
        return await queries.update(tx, project_id, wanted)
    except ConstraintViolation as error:
        raise _meaning(error) from error


async def delete(tx: OrgTx, project_id: UUID) -> None:
    """Deletes a project with its repositories, members, ingestions, files and chunks.

    Raises:
        ProjectNotFound, Forbidden: see access.
    """
    await access.require(tx, project_id, "delete")
    if not await tx.run(queries.DELETE, project_id):
        raise ProjectNotFound


async def validate_name(tx: OrgReader | OrgTx, name: str, *, except_project: UUID | None) -> NameValidation:
    """Whether a project may be called so in the active organization; `except_project` may have the name already."""
    error = rules.why_no_name(name)
    if error is None and await queries.is_name_taken(tx, composed(name).strip(), except_project):
        error = ProjectNameExists().detail
    return NameValidation(valid=error is None, error=error)


def _meaning(error: ConstraintViolation) -> Exception:
    return ProjectNameExists(field="name") if error.name == "projects_name_key" else error
