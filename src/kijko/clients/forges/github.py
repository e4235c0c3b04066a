"""GitHub: docs.github.com/rest and docs.github.com/apps/oauth-apps."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode

from kijko.clients.forges.forge import Account, ForgeRefused, Info, Listed, Tokens
from kijko.clients.forges.transport import (
    BYTES_A_LINE,
    MONTH,
    Transport,
    instant,
    last_page,
    optional,
    text,
    together,
    tokens_of,
    understood,
    whole,
)
from kijko.clients.git import Credential
from kijko.settings import OAuth, required

Json = Mapping[str, Any]  # GitHub's own JSON

_SCOPES: Final = "repo read:user"
_HEADERS: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


class GitHub:
    """github.com, or a GitHub Enterprise at another address."""

    title: ClassVar[str] = "GitHub"

    def __init__(self, settings: OAuth, return_to: str) -> None:
        self._settings = settings
        self._return_to = return_to
        self._http = Transport(self.title, settings.timeout_s, _HEADERS)

    @property
    def is_set_up(self) -> bool:
        """Whether there is an OAuth app."""
        return bool(self._settings.github_client_id and self._settings.github_client_secret)

    def authorize_url(self, state: str, challenge: str) -> str:
        """Where a person says yes."""
        query = {
            "client_id": self._client()["client_id"],
            "redirect_uri": self._return_to,
            "scope": _SCOPES,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._settings.github_url}/login/oauth/authorize?{urlencode(query)}"

    def credential(self, token: str) -> Credential:
        """The token as git shows it."""
        return Credential("x-access-token", token)

    @understood
    async def exchange(self, code: str, verifier: str) -> Tokens:
        """The tokens that a code is worth."""
        return await self._token({"code": code, "redirect_uri": self._return_to, "code_verifier": verifier})

    @understood
    async def refresh(self, token: str) -> Tokens:
        """The next tokens, where the app's tokens expire."""
        return await self._token({"grant_type": "refresh_token", "refresh_token": token})

    async def revoke(self, token: str) -> None:
        """End an access token."""
        client = self._client()
        await self._http.send(
            "DELETE",
            f"{self._settings.github_api_url}/applications/{client['client_id']}/token",
            basic=(client["client_id"], client["client_secret"]),
            json={"access_token": token},
        )

    @understood
    async def account(self, token: str) -> Account:
        """Whose token it is."""
        told = await self._get("/user", token)
        return Account(text(told["login"]), optional(told.get("avatar_url")))

    @understood
    async def repositories(self, token: str, limit: int) -> list[Listed]:
        """What the account may read, last pushed first."""
        url = f"{self._settings.github_api_url}/user/repos?per_page=100&sort=pushed"
        return [_listed(each) for each in await self._http.rows(url, token, limit)]

    @understood
    async def info(self, full_name: str, token: str | None) -> Info:
        """What GitHub knows of a repository."""
        path = f"/repos/{quote(full_name)}"
        told = await self._get(path, token)
        branch = text(told["default_branch"])
        commits, files, languages = await together(
            self._commits(path, token), self._files(path, branch, token), self._get(f"{path}/languages", token)
        )
        return Info(
            name=text(told["name"]),
            full_name=text(told["full_name"]),
            url=text(told["html_url"]),
            default_branch=branch,
            commits_per_month=commits,
            files=files,
            lines=sum(languages.values()) // BYTES_A_LINE,
            language=optional(told.get("language")) or "",
            last_updated=instant(told.get("pushed_at")),
            is_private=bool(told["private"]),
            stars=whole(told.get("stargazers_count")),
            description=optional(told.get("description")),
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close()

    async def _get(self, path: str, token: str | None) -> Any:  # Any: GitHub's own JSON
        return await self._http.json("GET", self._settings.github_api_url + path, token=token)

    async def _commits(self, path: str, token: str | None) -> int:
        """A month's: with one a page, the last page's number."""
        since = (datetime.now(UTC) - MONTH).strftime("%Y-%m-%dT%H:%M:%SZ")
        url = f"{self._settings.github_api_url}{path}/commits"
        try:
            page = await self._http.send("GET", url, token=token, params={"since": since, "per_page": "1"})
        except ForgeRefused:
            return 0  # an empty repository
        return last_page(page) or len(self._http.read(page))

    async def _files(self, path: str, branch: str, token: str | None) -> int:
        try:
            tree = await self._get(f"{path}/git/trees/{quote(branch, safe='')}?recursive=1", token)
        except ForgeRefused:
            return 0  # an empty repository
        return sum(1 for each in tree["tree"] if each["type"] == "blob")

    async def _token(self, form: Mapping[str, str]) -> Tokens:
        url = f"{self._settings.github_url}/login/oauth/access_token"
        return tokens_of(await self._http.json("POST", url, form={**self._client(), **form}))

    def _client(self) -> dict[str, str]:
        return {
            "client_id": required(self._settings.github_client_id, "KIJKO_OAUTH_GITHUB_CLIENT_ID"),
            "client_secret": required(self._settings.github_client_secret, "KIJKO_OAUTH_GITHUB_CLIENT_SECRET"),
        }


def _listed(told: Json) -> Listed:
    return Listed(
        id=str(told["id"]),
        name=text(told["name"]),
        full_name=text(told["full_name"]),
        url=text(told["html_url"]),
        is_private=bool(told["private"]),
        last_updated=instant(told.get("pushed_at") or told.get("updated_at")),
        is_archived=bool(told.get("archived")),
    )
