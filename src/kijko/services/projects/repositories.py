"""The git repositories that a project reads."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from kijko.clients.git import GitFailure
from kijko.core.db.errors import ConstraintViolation
from kijko.core.tenancy import OrgReader, OrgTx, Principal
from kijko.models.repositories import (
    DEFAULT_BRANCH,
    AddRepositoryRequest,
    RepositoryValidation,
    UpdateRepositoryRequest,
)
from kijko.services.projects import access, queries, repository_queries
from kijko.services.projects.desk import Desk
from kijko.services.projects.errors import ProjectNotFound, RepositoryExists, RepositoryNotFound
from kijko.services.projects.locations import Location, locate, read

_MOST_RECENT: Final = 20


async def prepare(
    desk: Desk, principal: Principal, project_id: UUID, body: AddRepositoryRequest
) -> tuple[Location, str]:
    """Where a repository is, and the branch to read: its server is asked for the default where none is named.

    Where it does not tell, the branch is DEFAULT_BRANCH: the ingestion takes what the server then has for one.

    Raises:
        ProjectNotFound, Forbidden: see access. InvalidRepositoryUrl: the text says what is wrong with the address.
    """
    await access.require(desk.database.reader(principal), project_id, "source")
    at = locate(body.repository_url, desk.known, provider=body.provider)
    if body.branch not in (None, DEFAULT_BRANCH):
        return at, body.branch
    try:
        refs = await desk.git.refs(at.url, await desk.credential(principal, at))
    except GitFailure:
        return at, DEFAULT_BRANCH  # an ingestion will say what is wrong with it
    return at, refs.default_branch or DEFAULT_BRANCH


async def add(tx: OrgTx, project_id: UUID, body: AddRepositoryRequest, at: Location, branch: str) -> bytes:
    """Adds a repository to a project; answers the ProjectRepository as JSON.

    Args:
        tx: as the caller.
        project_id: the project.
        body: what was asked.
        at: its address, read.
        branch: the branch to read.

    Raises:
        ProjectNotFound, Forbidden: see access. RepositoryExists: the project has it already.
    """
    await access.require(tx, project_id, "source")
    try:
        return await repository_queries.insert(
            tx,
            project_id,
            provider=body.provider,
            url=at.url,
            name=at.name,
            branch=branch,
            include_paths=body.include_paths,
            exclude_paths=body.exclude_paths,
        )
    except ConstraintViolation as error:
        if error.name == "project_repositories_url_key":
            raise RepositoryExists(field="repositoryUrl") from error
        if error.name == "project_repositories_project_fkey":
            raise ProjectNotFound from error  # deleted a moment ago
        raise


async def list_all(reader: OrgReader, project_id: UUID) -> bytes:
    """A project's [ProjectRepository] as JSON, first added first. Raises ProjectNotFound."""
    project, found = await reader.gather(queries.GET.bind(project_id), repository_queries.LIST.bind(project_id))
    if project is None:
        raise ProjectNotFound
    return found or b"[]"


async def update(tx: OrgTx, project_id: UUID, repository_id: UUID, body: UpdateRepositoryRequest) -> bytes:
    """Changes the fields that are present; answers the ProjectRepository as JSON.

    Raises:
        ProjectNotFound, Forbidden: see access. RepositoryNotFound: the project has none with that id.
    """
    await access.require(tx, project_id, "source")
    kept = await tx.first(repository_queries.EDITABLE, project_id, repository_id)
    if kept is None:
        raise RepositoryNotFound
    changed = replace(kept, **{name: getattr(body, name) for name in body.model_fields_set})
    found = await repository_queries.update(tx, project_id, repository_id, changed)
    if found is None:
        raise RepositoryNotFound
    return found


async def remove(tx: OrgTx, project_id: UUID, repository_id: UUID) -> None:
    """Takes a repository out of a project, with its files and chunks.

    Raises:
        ProjectNotFound, Forbidden: see access. RepositoryNotFound: the project has none with that id.
    """
    await access.require(tx, project_id, "source")
    if not await tx.run(repository_queries.DELETE, project_id, repository_id):
        raise RepositoryNotFound


async def recent(reader: OrgReader) -> bytes:
    """The caller's [RecentRepo] as JSON, last used first."""
    return await repository_queries.recent(reader, _MOST_RECENT)


async def validate(desk: Desk, principal: Principal, url: str, branch: str | None) -> RepositoryValidation:
    """Asks a repository's server whether it can be read, and whether it has that branch."""
    at = read(url, desk.known)
    if isinstance(at, str):
        return RepositoryValidation(valid=False, error=at)
    error = None
    try:
        refs = await desk.git.refs(at.url, await desk.credential(principal, at))
        if branch is not None and branch not in refs.branches:
            error = f"The repository has no branch called {branch}."
    except GitFailure as failure:
        error = failure.sentence
    return RepositoryValidation(valid=error is None, error=error, provider=at.provider, repo_name=at.name)
