"""GitLab: docs.gitlab.com/api/rest and docs.gitlab.com/api/oauth2."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode

import httpx

from kijko.clients.forges.forge import Account, ForgeRefused, Info, Listed, Tokens
from kijko.clients.forges.transport import (
    MONTH,
    Transport,
    instant,
    optional,
    text,
    together,
    tokens_of,
    understood,
    whole,
)
from kijko.clients.git import Credential
from kijko.settings import OAuth, required

Json = Mapping[str, Any]  # GitLab's own JSON

_SCOPES: Final = "read_user read_api read_repository"
_LINES_A_FILE: Final = 90
"""GitLab tells a stranger no sizes: what a file has on average, for an estimate."""


class GitLab:
    """gitlab.com, or a GitLab at another address."""

    title: ClassVar[str] = "GitLab"

    def __init__(self, settings: OAuth, return_to: str) -> None:
        self._settings = settings
        self._return_to = return_to
        self._http = Transport(self.title, settings.timeout_s, {})

    @property
    def is_set_up(self) -> bool:
        """Whether there is an OAuth app."""
        return bool(self._settings.gitlab_client_id and self._settings.gitlab_client_secret)

    def authorize_url(self, state: str, challenge: str) -> str:
        """Where a person says yes."""
        query = {
            "client_id": self._client()["client_id"],
            "redirect_uri": self._return_to,
            "response_type": "code",
            "scope": _SCOPES,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._settings.gitlab_url}/oauth/authorize?{urlencode(query)}"

    def credential(self, token: str) -> Credential:
        """The token as git shows it."""
        return Credential("oauth2", token)

    @understood
    async def exchange(self, code: str, verifier: str) -> Tokens:
        """The tokens that a code is worth."""
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        return await self._token(form)

    @understood
    async def refresh(self, token: str) -> Tokens:
        """The next tokens: GitLab's live two hours, and a refresh token works once."""
        return await self._token({"grant_type": "refresh_token", "refresh_token": token})

    async def revoke(self, token: str) -> None:
        """End an access token, and with it its refresh token."""
        form = {**self._client(), "token": token}
        await self._http.send("POST", f"{self._settings.gitlab_url}/oauth/revoke", form=form)

    @understood
    async def account(self, token: str) -> Account:
        """Whose token it is."""
        told = await self._json("/user", token)
        return Account(text(told["username"]), optional(told.get("avatar_url")))

    @understood
    async def repositories(self, token: str, limit: int) -> list[Listed]:
        """What the account is a member of, last active first."""
        query = urlencode({"membership": "true", "order_by": "last_activity_at", "per_page": "100"})
        rows = await self._http.rows(f"{self._api}/projects?{query}", token, limit)
        return [_listed(each) for each in rows]

    @understood
    async def info(self, full_name: str, token: str | None) -> Info:
        """What GitLab knows of a repository."""
        path = f"/projects/{quote(full_name, safe='')}"
        told = await self._json(path, token)
        branch = optional(told.get("default_branch")) or "main"
        since = (datetime.now(UTC) - MONTH).strftime("%Y-%m-%dT%H:%M:%SZ")
        commits, files, shares = await together(
            self._count(f"{path}/repository/commits", token, {"since": since}),
            self._count_files(f"{path}/repository/tree", token, branch),
            self._json(f"{path}/languages", token),
        )
        return Info(
            name=text(told["path"]),
            full_name=text(told["path_with_namespace"]),
            url=text(told["web_url"]),
            default_branch=branch,
            commits_per_month=commits,
            files=files,
            lines=files * _LINES_A_FILE,
            language=max(shares, key=lambda name: float(shares[name]), default=""),
            last_updated=instant(told.get("last_activity_at")),
            is_private=told.get("visibility", "public") != "public",
            stars=whole(told.get("star_count")),
            description=optional(told.get("description")),
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close()

    @property
    def _api(self) -> str:
        return f"{self._settings.gitlab_url}/api/v4"

    async def _json(self, path: str, token: str | None) -> Any:  # Any: GitLab's own JSON
        return await self._http.json("GET", self._api + path, token=token)

    async def _count(self, path: str, token: str | None, query: Mapping[str, str]) -> int:
        """How many rows a list has, by its header; those of one page where GitLab does not count."""
        try:
            page = await self._page(path, token, {**query, "per_page": "100"})
        except ForgeRefused:
            return 0  # an empty repository
        return _total(page) or len(self._http.read(page))

    async def _count_files(self, path: str, token: str | None, branch: str) -> int:
        """Files of a branch, up to ten pages of names."""
        query = {"ref": branch, "recursive": "true", "per_page": "100"}
        found, number = 0, 1
        while number <= 10:
            try:
                page = await self._page(path, token, {**query, "page": str(number)})
            except ForgeRefused:
                return found  # an empty repository has no tree
            found += sum(1 for each in self._http.read(page) if each["type"] == "blob")
            if not page.headers.get("x-next-page"):
                return found
            number += 1
        return max(found, _total(page) or 0)

    async def _page(self, path: str, token: str | None, query: Mapping[str, str]) -> httpx.Response:
        return await self._http.send("GET", self._api + path, token=token, params=query)

    async def _token(self, form: Mapping[str, str]) -> Tokens:
        full = {**self._client(), "redirect_uri": self._return_to, **form}
        return tokens_of(await self._http.json("POST", f"{self._settings.gitlab_url}/oauth/token", form=full))

    def _client(self) -> dict[str, str]:
        return {
            "client_id": required(self._settings.gitlab_client_id, "KIJKO_OAUTH_GITLAB_CLIENT_ID"),
            "client_secret": required(self._settings.gitlab_client_secret, "KIJKO_OAUTH_GITLAB_CLIENT_SECRET"),
        }


def _listed(told: Json) -> Listed:
    return Listed(
        id=str(told["id"]),
        name=text(told["path"]),
        full_name=text(told["path_with_namespace"]),
        url=text(told["web_url"]),
        is_private=told.get("visibility", "public") != "public",
        last_updated=instant(told.get("last_activity_at")),
        is_archived=bool(told.get("archived")),
    )


def _total(page: httpx.Response) -> int | None:
    told = page.headers.get("x-total", "")
    return int(told) if told.isdigit() else None
