"""Where a repository really is: its address checked, its redirects followed by us, each checked again.

Git itself then follows none, and connects to the addresses that were checked here.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin

import httpx

from kijko.clients import outbound
from kijko.clients.git.command import Credential
from kijko.clients.git.failure import GitFailure, silent, unreachable
from kijko.core.addresses import Address, AddressRefused, Resolver, Target, Unresolvable, resolve, target
from kijko.settings import Git as GitSettings

_REFS: Final = "/info/refs?service=git-upload-pack"
_TYPE: Final = "application/x-git-upload-pack-advertisement"
_MOST_REDIRECTS: Final = 5
_PRIVATE: Final = (
    "The repository does not exist, or is private. Check its address, or connect an account that may read it."
)
DENIED: Final = "The account that was used may not read this repository. Connect it again, or use another one."
_ABSENT: Final = "There is no git repository at this address."


@dataclass(frozen=True, slots=True)
class Place:
    """A repository that answered: where, at which addresses, and the credential that may be shown there."""

    at: Target
    addresses: tuple[Address, ...]
    credential: Credential | None

    @property
    def pin(self) -> str:
        """Curl's words for "this host is at these addresses"."""
        known = ",".join(f"[{each}]" if each.version == 6 else str(each) for each in self.addresses)
        host = f"[{self.at.host}]" if ":" in self.at.host else self.at.host
        return f"{host}:{self.at.port}:{known}"


async def find(
    url: str, credential: Credential | None, settings: GitSettings, *, resolver: Resolver | None = None
) -> Place:
    """Ask the server, and whom it sends us to, for the repository.

    Raises:
        GitFailure: it is not there, not ours to read or not to be asked.
    """
    try:
        start = target(url.rstrip("/"), allowed=settings.allowed_hosts)
    except AddressRefused as refused:
        raise GitFailure("INVALID_REPOSITORY_URL", str(refused)) from None
    if "?" in start.path or len(start.path) < 2:
        raise GitFailure("INVALID_REPOSITORY_URL", "The address has to be that of a repository, as for cloning it.")
    try:
        async with asyncio.timeout(settings.answer_s):
            return await _follow(start, credential, settings, resolver)
    except TimeoutError:
        raise silent(settings.answer_s) from None
    except AddressRefused as refused:
        raise GitFailure("ADDRESS_REFUSED", str(refused)) from None
    except Unresolvable as error:
        raise unreachable(str(error)) from None


async def _follow(at: Target, credential: Credential | None, settings: GitSettings, resolver: Resolver | None) -> Place:
    for _ in range(_MOST_REDIRECTS + 1):
        addresses = await resolve(at.host, at.port, allowed=settings.allowed_hosts, resolver=resolver)
        answer = await _ask(at, addresses, credential, settings)
        if not answer.is_redirect:
            _judge(answer, credential)
            return Place(at, tuple(addresses), credential)
        following = _next(at, answer.headers, settings)
        if (following.scheme, following.pair) != (at.scheme, at.pair):
            credential = None  # it was given for the first one
        at = following
    raise unreachable("The git server sends one from address to address without an end.")


async def _ask(
    at: Target, addresses: list[Address], credential: Credential | None, settings: GitSettings
) -> httpx.Response:
    """The answer's status and headers; its body is not read."""

    async def checked(_: str, __: int) -> list[str]:
        return [str(each) for each in addresses]

    auth = (credential.username, credential.password) if credential is not None else None
    headers = {"User-Agent": "git/2 Kijko", "Git-Protocol": "version=2"}
    try:
        async with (
            outbound.client(allowed=settings.allowed_hosts, timeout_s=settings.answer_s, resolver=checked) as http,
            http.stream("GET", at.url + _REFS, auth=auth, headers=headers) as answer,
        ):
            return answer
    except httpx.TimeoutException:
        raise silent(settings.answer_s) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        raise unreachable("The git server does not answer. Check the address, or try again later.") from None


def _next(at: Target, headers: Mapping[str, str], settings: GitSettings) -> Target:
    """Where a redirect leads: to the same question about another repository."""
    location = urljoin(at.url + _REFS, headers.get("location", ""))
    if not location.endswith(_REFS):
        raise GitFailure("REPOSITORY_NOT_FOUND", _ABSENT)
    return target(location.removesuffix(_REFS), allowed=settings.allowed_hosts)


def _judge(answer: httpx.Response, credential: Credential | None) -> None:
    """Raise unless the answer is a git server's yes."""
    status = answer.status_code
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise GitFailure("AUTHENTICATION_FAILED", _PRIVATE if credential is None else DENIED)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise unreachable("The git server cannot answer at the moment. Try again later.")
    kind = answer.headers.get("content-type", "").split(";")[0].strip().lower()
    if status != HTTPStatus.OK or kind != _TYPE:
        raise GitFailure("REPOSITORY_NOT_FOUND", _ABSENT)
