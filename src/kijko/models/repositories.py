"""Repositories of projects on the wire."""

import re
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from kijko.models.base import Request, Text, Timestamp, Uri, Wire, absent_stays, no_nul
from kijko.models.enums import GitProvider, RepositoryStatus

_NO_BRANCH: Final = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(?:/|$)|(?:^|/)\.|[./]$|^[-/]|^@$|^refs/heads/"
)
RepositoryUrl = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=2000),
    AfterValidator(no_nul),
    Field(json_schema_extra={"format": "uri"}),
]


def _branch(value: str) -> str:
    """The name, unless git has no branch of such a name anywhere (git-check-ref-format)."""
    if _NO_BRANCH.search(no_nul(value)):
        raise ValueError("is no name that a branch can have. Give it without refs/heads/, as git branch shows it")
    return value


BranchText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=250), AfterValidator(no_nul)
]
Branch = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=250), AfterValidator(_branch)]
PathPattern = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(no_nul)
]
PathPatterns = Annotated[list[PathPattern], Field(max_length=200)]


DEFAULT_BRANCH: Final = "HEAD"
"""As git calls what a server has for its default branch, until it was seen which one that is."""


class ProjectRepository(Wire):
    """A git repository that a project reads."""

    id: UUID
    project_id: UUID
    provider: GitProvider
    repository_url: Uri
    repository_name: str
    branch: str = Field(description="`HEAD`: the default one, whose name is known when it was fetched.")
    status: RepositoryStatus
    last_sync_at: Timestamp | None = None
    last_commit_hash: str | None = None
    file_count: int | None = None
    include_paths: list[str] | None = None
    exclude_paths: list[str] | None = None
    created_at: Timestamp
    updated_at: Timestamp


class AddRepositoryRequest(Request):
    """A repository to read. Without a branch, or with `HEAD`, it is the server's default one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "provider": "github",
                    "repositoryUrl": "https://github.com/kijko/example",
                    "branch": "main",
                    "excludePaths": ["docs/**"],
                }
            ]
        }
    )

    provider: GitProvider
    repository_url: RepositoryUrl
    branch: Branch | None = None
    include_paths: PathPatterns | None = None
    exclude_paths: PathPatterns | None = None


class UpdateRepositoryRequest(Request):
    """What is present changes; what is absent stays."""

    model_config = ConfigDict(json_schema_extra=absent_stays({"branch": "develop", "includePaths": ["src/**"]}))

    branch: Branch = ""
    include_paths: PathPatterns | None = None
    exclude_paths: PathPatterns | None = None


class ValidateRepositoryRequest(Request):
    """A repository to try."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": "https://github.com/kijko/example"}]})

    url: Annotated[Text, StringConstraints(max_length=2000)]
    branch: BranchText | None = None


class RepositoryValidation(Wire):
    """Whether a repository can be read, and why not."""

    valid: bool
    error: str | None = None
    provider: GitProvider | None = None
    repo_name: str | None = None


class ValidateFullRequest(Request):
    """A repository to look at."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": "https://github.com/kijko/example"}]})

    url: Annotated[Text, StringConstraints(max_length=2000)]


class RepoInfo(Wire):
    """A repository as far as its server tells. Without an API to ask, what git does not tell is 0 or empty."""

    name: str
    full_name: str
    provider: GitProvider
    url: Uri
    default_branch: str
    commits_per_month: int
    file_count: int
    loc_estimate: int
    primary_language: str
    last_updated: Timestamp
    is_private: bool
    stars: int | None = None
    description: str | None = None


class FullRepositoryValidation(Wire):
    """Whether a repository can be read, why not, and what it is."""

    valid: bool
    error: str | None = None
    info: RepoInfo | None = None


class RecentRepo(Wire):
    """A repository that the person has used."""

    repo_url: Uri
    repo_name: str
    last_analyzed: Timestamp
    usage_count: int
    provider: GitProvider
