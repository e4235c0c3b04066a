"""The first phase: each repository's newest commit, into the workspace."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace

from kijko.clients.git import Credential, GitFailure
from kijko.core.db import Jsonb
from kijko.core.words import counted
from kijko.models.enums import IngestionPhase
from kijko.models.repositories import DEFAULT_BRANCH
from kijko.services.ingestion import work_queries as queries
from kijko.services.ingestion.job import Job
from kijko.services.ingestion.parts import Source
from kijko.services.ingestion.workspace import touch
from kijko.services.projects import credentials
from kijko.services.projects.credentials import Keyring
from kijko.services.projects.locations import Known


class SourceFailure(Exception):
    """A repository cannot be read; which, and why."""

    def __init__(self, repository: queries.Repository, failure: GitFailure) -> None:
        super().__init__(failure.sentence)
        self.repository = repository
        self.failure = failure


class Unreadable(Exception):
    """What was fetched of a source cannot be read, and why."""

    def __init__(self, source: Source, failure: GitFailure) -> None:
        super().__init__(failure.sentence)
        self.source = source
        self.failure = failure


@contextmanager
def reading(source: Source) -> Iterator[None]:
    """What git says inside of the block is about that source. Raises Unreadable."""
    try:
        yield
    except GitFailure as failure:
        raise Unreadable(source, failure) from failure


async def fetch(job: Job, repositories: list[queries.Repository], holding: AsyncExitStack) -> None:
    """Brings every repository; the job then knows its commits. Folders are held until `holding` is closed.

    Raises:
        SourceFailure: one cannot be read. ForgeUnavailable: its account's token cannot be renewed now. LeaseLost.
    """
    many = len(repositories)
    await job.enter(IngestionPhase.REPOSITORY_FETCH, _words(many))
    async with job.desk.database.system("a project's repositories are being read") as tx:
        # Who has ended it in between has said what its repositories are.
        job.kept(await queries.hold(tx, job.claimed, job.desk.worker))
        await queries.syncing(tx, job.claimed.project_id)
    job.commits = []
    for at, one in enumerate(repositories):
        job.progress.reach(at / many, f"Fetching {one.name}")
        await holding.enter_async_context(job.desk.workspace.hold(one.id))
        read, commit = await _fetch(job, one, _share(job, one, at, many))
        job.commits.append(_told(read, commit))
    kept = await queries.keep(job.reader, job.claimed, job.desk.worker, commits=Jsonb(job.commits))
    job.kept(kept)
    job.progress.reach(1.0)


async def resume(job: Job, repositories: list[queries.Repository], holding: AsyncExitStack) -> bool:
    """Whether what an earlier attempt fetched is here, every repository of it; then the job knows its commits."""
    known = {each["repositoryId"]: each for each in job.claimed.commits}
    if known.keys() != {str(each.id) for each in repositories}:
        return False
    for one in repositories:
        await holding.enter_async_context(job.desk.workspace.hold(one.id))
        folder = job.folder(one.id)
        if known[str(one.id)]["branch"] != one.branch or not await job.desk.git.has(
            folder, known[str(one.id)]["commit"]
        ):
            return False
        touch(folder)
    job.commits = list(job.claimed.commits)
    return True


def sources(job: Job, repositories: list[queries.Repository]) -> list[Source]:
    """Where files come from: each repository, then the project's uploads."""
    project_id = job.claimed.project_id
    commits = {each["repositoryId"]: each["commit"] for each in job.commits}
    found = [
        Source(
            project_id=project_id,
            id=one.id,
            repository_id=one.id,
            folder=job.folder(one.id),
            commit=commits[str(one.id)],
            include=tuple(one.include or ()),
            exclude=tuple(one.exclude or ()),
        )
        for one in repositories
    ]
    return [*found, Source(project_id=project_id, id=project_id, repository_id=None)]


async def _fetch(
    job: Job, one: queries.Repository, told: Callable[[float, str], None]
) -> tuple[queries.Repository, str]:
    """The repository with the branch that was read, and its commit."""
    desk, folder = job.desk, job.folder(one.id)
    keys = Keyring(job.reader, desk.forges, desk.box)
    credential = await credentials.for_ingestion(keys, Known.of(desk.settings), one.id, one.url, job.claimed.user_id)
    known = one.last_commit if one.last_commit and await desk.git.has(folder, one.last_commit) else None
    try:
        read = await _with_branch(job, one, credential)
        commit = await desk.git.fetch(
            read.url,
            read.branch,
            folder,
            credential,
            known,
            told,
            history=desk.settings.ingestion.history if job.wanted.history else 0,
        )
    except GitFailure as failure:
        raise SourceFailure(one, await _explained(job, one, credential, failure)) from failure
    touch(folder)
    return read, commit


async def _explained(
    job: Job, one: queries.Repository, credential: Credential | None, failure: GitFailure
) -> GitFailure:
    """The failure; where a branch is gone, with what there is instead: most often the default one was renamed."""
    if failure.code != "BRANCH_NOT_FOUND" or one.branch == DEFAULT_BRANCH:
        return failure
    with contextlib.suppress(GitFailure):  # then what is known is said
        refs = await job.desk.git.refs(one.url, credential)
        if not refs.branches:
            return GitFailure(failure.code, f"{failure.sentence} It has none at all: push to it first.")
        if refs.default_branch is not None:
            instead = f"Its default one is {refs.default_branch[:200]!r}: name that, or another, at the repository."
            return GitFailure(failure.code, f"{failure.sentence} {instead}")
    return failure


async def _with_branch(job: Job, one: queries.Repository, credential: Credential | None) -> queries.Repository:
    """The same, its default branch by its name, which is kept. Raises GitFailure where the server names none."""
    if one.branch != DEFAULT_BRANCH:
        return one
    branch = (await job.desk.git.refs(one.url, credential)).default_branch
    if branch is None:
        raise GitFailure("BRANCH_NOT_FOUND", "The repository has no default branch; it may be empty. Name a branch.")
    await queries.name_branch(job.reader, job.claimed.id, one.id, branch)
    return replace(one, branch=branch)


def _share(job: Job, one: queries.Repository, at: int, many: int) -> Callable[[float, str], None]:
    def told(share: float, words: str) -> None:
        job.progress.reach((at + share) / many, f"Fetching {one.name}: {words}")

    return told


def _told(one: queries.Repository, commit: str) -> dict[str, str]:
    return {
        "repositoryId": str(one.id),
        "repositoryName": one.name,
        "branch": one.branch,
        "commit": commit,
    }


def _words(many: int) -> str:
    if not many:
        return "Nothing to fetch"
    return "Fetching the repository" if many == 1 else f"Fetching {counted(many, 'repository', 'repositories')}"
