"""What a repository is, by its forge's API where it has one, and else as far as git tells."""

from datetime import UTC, datetime
from typing import Final

from kijko.clients.forges import ForgeRefused, ForgeUnavailable, Info
from kijko.clients.git import Credential, GitFailure, Survey
from kijko.core.tenancy import Principal
from kijko.models.enums import GitProvider
from kijko.models.repositories import FullRepositoryValidation, RepoInfo
from kijko.services.projects.desk import Desk
from kijko.services.projects.locations import Location, read

_UNTOLD: Final = datetime.fromtimestamp(0, UTC)


async def validate_full(desk: Desk, principal: Principal, url: str) -> FullRepositoryValidation:
    """Whether a repository can be read by the caller, and what it is."""
    at = read(url, desk.known)
    if isinstance(at, str):
        return FullRepositoryValidation(valid=False, error=at)
    credential = await desk.credential(principal, at)
    told = await _by_forge(desk, at, credential)
    if told is not None:
        return FullRepositoryValidation(valid=True, info=told)
    try:
        return FullRepositoryValidation(valid=True, info=await _by_git(desk, at, credential))
    except GitFailure as failure:
        return FullRepositoryValidation(valid=False, error=failure.sentence)


async def _by_forge(desk: Desk, at: Location, credential: Credential | None) -> RepoInfo | None:
    """None where the forge has no API, does not answer, or does not show us this one."""
    forge = desk.forges.get(at.provider) if at.provider is not None else None
    if forge is None or at.provider is None:
        return None
    try:
        return _of_forge(at.provider, await forge.info(at.name, credential.password if credential else None))
    except (ForgeRefused, ForgeUnavailable):
        return None


async def _by_git(desk: Desk, at: Location, credential: Credential | None) -> RepoInfo:
    """Raises GitFailure where the repository cannot be read."""
    refs = await desk.git.refs(at.url, credential)
    branch = refs.default_branch or next(iter(refs.branches), "")
    found: Survey | None = None
    if branch in refs.branches:
        try:
            found = await desk.surveyor.look(at.url, branch, credential)
        except GitFailure:
            found = None  # too large for a look, say: it can be read all the same
    return RepoInfo(
        name=at.name.rpartition("/")[2],
        full_name=at.name,
        provider=at.provider or GitProvider.GITHUB,
        url=at.url,
        default_branch=branch,
        commits_per_month=found.commits_per_month if found else 0,
        file_count=found.files if found else 0,
        loc_estimate=found.lines if found else 0,
        primary_language=found.language if found else "",
        last_updated=found.last_commit_at if found else _UNTOLD,
        is_private=credential is not None and not await _is_public(desk, at),
    )


async def _is_public(desk: Desk, at: Location) -> bool:
    """Whether it is read without an account too."""
    try:
        await desk.git.refs(at.url)
    except GitFailure:
        return False
    return True


def _of_forge(provider: GitProvider, told: Info) -> RepoInfo:
    return RepoInfo(
        name=told.name,
        full_name=told.full_name,
        provider=provider,
        url=told.url,
        default_branch=told.default_branch,
        commits_per_month=told.commits_per_month,
        file_count=told.files,
        loc_estimate=told.lines,
        primary_language=told.language,
        last_updated=told.last_updated,
        is_private=told.is_private,
        stars=told.stars,
        description=told.description,
    )
