"""Where repositories are: one spelling for each address, whose server it is, and the name that people know it by."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from kijko.core.addresses import AddressRefused, Target, target
from kijko.models.enums import GitProvider
from kijko.services.projects.errors import InvalidRepositoryUrl
from kijko.settings import Settings

FIELD: Final = "repositoryUrl"

_NAMES: Final[Mapping[GitProvider, str]] = {
    GitProvider.GITHUB: "GitHub",
    GitProvider.GITLAB: "GitLab",
    GitProvider.BITBUCKET: "Bitbucket",
    GitProvider.AZURE: "Azure DevOps",
}
_HOSTS: Final[Mapping[str, GitProvider]] = {
    "github.com": GitProvider.GITHUB,
    "gitlab.com": GitProvider.GITLAB,
    "bitbucket.org": GitProvider.BITBUCKET,
    "dev.azure.com": GitProvider.AZURE,
}
_AZURE_OLD: Final = ".visualstudio.com"
_HTTPS_PORT: Final = 443
_SEGMENT: Final = re.compile(r"(?!\.{1,2}$)[\w .~+@&$()'!,;=-]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Location:
    """A repository's address in its one spelling. `provider` is None where only the allow list knows the host."""

    url: str
    name: str
    provider: GitProvider | None
    pair: str


@dataclass(frozen=True, slots=True)
class Known:
    """Whose servers are known: the hosted ones, those that the settings name, and the allow list."""

    hosts: Mapping[str, GitProvider]
    allowed: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> "Known":
        """What these settings know."""
        found = {f"{host}:443": provider for host, provider in _HOSTS.items()}
        own = ((settings.oauth.github_url, GitProvider.GITHUB), (settings.oauth.gitlab_url, GitProvider.GITLAB))
        for url, provider in own:
            found[_pair(url)] = provider
        return cls(found, settings.git.allowed_hosts)

    def provider(self, at: Target) -> GitProvider | None:
        """Whose server that is."""
        if at.host.endswith(_AZURE_OLD) and at.port == _HTTPS_PORT:
            return GitProvider.AZURE
        return self.hosts.get(at.pair)


def locate(url: str, known: Known, *, provider: GitProvider | None = None, field: str = FIELD) -> Location:
    """Read a repository's address.

    Args:
        url: as a person gave it.
        known: whose servers are known.
        provider: whose server the person says it is.
        field: what to name in an error.

    Raises:
        InvalidRepositoryUrl: it is none, or is another provider's; the text says which.
    """
    try:
        at = target(url.strip(), allowed=known.allowed)
    except AddressRefused as refused:
        raise InvalidRepositoryUrl(str(refused), field=field) from None
    if at.host.startswith("www.") and at.host.removeprefix("www.") in _HOSTS:
        at = Target(at.scheme, at.host.removeprefix("www."), at.port, at.path)
    found = known.provider(at)
    is_allowed = at.pair in known.allowed
    if found is None and not is_allowed:
        raise InvalidRepositoryUrl(
            f"{at.host} is not a git server that is known here. Use one of {_listed(known)}, or ask whoever runs this "
            "server to allow it.",
            field=field,
        )
    if provider is not None and not is_allowed and found is not None and provider is not found:
        raise InvalidRepositoryUrl(
            f"The address is {_NAMES[found]}'s, and the provider says {_NAMES[provider]}. Correct one of them.",
            field=field,
        )
    segments = _segments(at, field)
    shape = provider if is_allowed and found is None else found
    if not is_allowed:
        _check_shape(segments, found, field)
    path = _path(at, keep_suffix=is_allowed)
    return Location(Target(at.scheme, at.host, at.port, path).url, _name(segments, shape), found, at.pair)


def read(url: str, known: Known) -> Location | str:
    """Where a repository is, or why the address is none."""
    try:
        return locate(url, known)
    except InvalidRepositoryUrl as invalid:
        return invalid.detail


def _segments(at: Target, field: str) -> list[str]:
    """The parts of the path, in clear."""
    if "?" in at.path:
        raise InvalidRepositoryUrl("The address of a repository has no part after a question mark.", field=field)
    parts = [unquote(part) for part in at.path.strip("/").split("/")]
    if not all(_SEGMENT.fullmatch(part) for part in parts):
        raise InvalidRepositoryUrl(
            "The address must name a repository, as for cloning it: https://github.com/owner/name, say.", field=field
        )
    return parts


def _check_shape(segments: Sequence[str], provider: GitProvider | None, field: str) -> None:
    match provider:
        case GitProvider.GITHUB | GitProvider.BITBUCKET:
            fits, form = len(segments) == 2, "owner/name"
        case GitProvider.AZURE:
            fits, form = "_git" in segments[:-1], "organization/project/_git/name"
        case _:
            fits, form = len(segments) >= 2 and "-" not in segments, "group/name"
    if not fits:
        host = _NAMES[provider] if provider is not None else "That server"
        raise InvalidRepositoryUrl(
            f"{host} has its repositories at {form}, and this address goes elsewhere. Give it as for cloning.",
            field=field,
        )


def _path(at: Target, *, keep_suffix: bool) -> str:
    path = "/" + at.path.strip("/")
    return path if keep_suffix or path.endswith("/.git") else path.removesuffix(".git")


def _name(segments: Sequence[str], provider: GitProvider | None) -> str:
    """What people call it: owner/name, with all of a group's levels at GitLab."""
    parts = [part for part in segments if part != "_git"] if provider is GitProvider.AZURE else list(segments)
    parts[-1] = parts[-1].removesuffix(".git") or parts[-1]
    return "/".join(parts if provider is GitProvider.GITLAB else parts[-2:])


def _listed(known: Known) -> str:
    return ", ".join(sorted({pair.removesuffix(":443") for pair in known.hosts}))


def _pair(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0].lower()
    return host if ":" in host else f"{host}:{443 if scheme == 'https' else 80}"
