"""People with real accounts, their mail, a browser, and outside providers to sign in with."""

import asyncio
import contextlib
import fcntl
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from kijko.clients.keycloak import Keycloak as KeycloakClient
from kijko.services import identity
from kijko.settings import Settings
from kijko.workers.runtime import connect_worker
from tests.conftest import Shared, fresh_address
from tests.fakes.github import GitHub
from tests.fakes.proxy import Proxy
from tests.spine.conftest import Served, serve  # noqa: F401  # a fixture

PASSWORD = "dev-only-password-1"


@dataclass(frozen=True)
class Sweeping:
    """`repair()` and `watch_resets()`, as the scheduler calls them."""

    repair: Callable[[], Awaitable[None]]
    watch_resets: Callable[[], Awaitable[None]]


def fresh_email(domain: str = "people.test") -> str:
    return f"{secrets.token_hex(6)}@{domain}"


@dataclass
class Account:
    """Somebody who signed up: their address, their tokens, and an HTTP client that carries the access token."""

    email: str
    password: str
    tokens: dict[str, Any]
    http: httpx.AsyncClient = field(repr=False)

    def use(self, tokens: dict[str, Any]) -> None:
        """Carry these tokens from now on."""
        self.tokens = tokens
        self.http.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    async def log_in(self, password: str | None = None) -> httpx.Response:
        """A second sign-in, which leaves this one alone."""
        body = {"email": self.email, "password": password or self.password}
        return await self.http.post("/auth/login", json=body)

    async def refresh(self, token: str | None = None) -> httpx.Response:
        return await self.http.post("/auth/refresh", json={"refresh_token": token or self.tokens["refresh_token"]})

    async def status_of(self, access_token: str | None = None) -> int:
        """The status that a token gets at /auth/me."""
        headers = {"Authorization": f"Bearer {access_token}"} if access_token else {}
        return (await self.http.get("/auth/me", headers=headers)).status_code


def signup_body(email: str, **changed: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace"} | changed


@pytest.fixture
async def account(stack_env: dict[str, str]) -> AsyncIterator[Callable[..., Any]]:
    """`await account()`: signs somebody up at the running API, or at the one of `url`."""
    made: list[httpx.AsyncClient] = []

    async def make(email: str | None = None, *, url: str | None = None) -> Account:
        http = httpx.AsyncClient(
            base_url=(url or stack_env["KIJKO_API_URL"]) + "/api",
            headers={"X-Forwarded-For": fresh_address()},
            timeout=60,
        )
        made.append(http)
        email = email or fresh_email()
        answer = await http.post("/auth/signup", json=signup_body(email))
        assert answer.status_code == 201, answer.text
        one = Account(email, PASSWORD, {}, http)
        one.use(answer.json())
        return one

    yield make
    for http in made:
        await http.aclose()


class Keycloak:
    """Keycloak's own administrator: for setting up and for looking."""

    def __init__(self, env: dict[str, str]) -> None:
        self.url = env["KIJKO_KEYCLOAK_URL"]
        self._password = env["KIJKO_DEV_KEYCLOAK_PASSWORD"]
        self._http = httpx.Client(base_url=f"{self.url}/admin/realms", timeout=60)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A call of the admin API, with a fresh token."""
        return self._http.request(method, path, headers={"Authorization": f"Bearer {self.token()}"}, **more)

    def token(self) -> str:
        """The administrator's own, of another realm."""
        answer = self.grant(
            "master", grant_type="password", client_id="admin-cli", username="admin", password=self._password
        )
        token: str = answer["access_token"]
        return token

    def grant(self, realm: str, **form: str) -> dict[str, Any]:
        """The token endpoint's answer."""
        url = f"{self.url}/realms/{realm}/protocol/openid-connect/token"
        answer: dict[str, Any] = httpx.post(url, data=form, timeout=60).raise_for_status().json()
        return answer

    def user(self, email: str) -> dict[str, Any] | None:
        found = self.ask("GET", "/kijko/users", params={"email": email, "exact": "true"}).json()
        return found[0] if found else None

    def sessions(self, email: str) -> set[str]:
        user = self.user(email)
        assert user is not None
        return {each["id"] for each in self.ask("GET", f"/kijko/users/{user['id']}/sessions").json()}

    def update_user(self, email: str, **changes: Any) -> None:
        user = self.user(email)
        assert user is not None
        self.ask("PUT", f"/kijko/users/{user['id']}", json=user | changes).raise_for_status()


@pytest.fixture
def keycloak(stack_env: dict[str, str]) -> Keycloak:
    return Keycloak(stack_env)


class Mailbox:
    """What the mail catcher caught."""

    def __init__(self, url: str) -> None:
        self._url = url

    def to(self, email: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = httpx.get(f"{self._url}/messages", params={"to": email}).json()
        return [each for each in found if each["to"] == email]

    def wait(self, email: str, *, subject: str, count: int = 1, within_s: float = 15) -> dict[str, str]:
        """The newest mail to that address with that word in its subject, once there are so many."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            found = [each for each in self.to(email) if subject in each["subject"]]
            if len(found) >= count:
                return found[-1]
            time.sleep(0.1)
        pytest.fail(f"no mail about {subject} to {email} within {within_s} s, but {self.to(email)}")


@pytest.fixture
def mailbox(stack_env: dict[str, str]) -> Mailbox:
    return Mailbox(stack_env["KIJKO_MAIL_URL"])


def link_in(mail: dict[str, str]) -> str:
    """The first link of a mail."""
    found = re.search(r"https?://\S+", mail["text"])
    assert found is not None
    return found[0]


class Browser:
    """A browser without scripts: it keeps cookies, follows links, and fills in forms as their page has them."""

    def __init__(self) -> None:
        self.http = httpx.Client(timeout=60, event_hooks={"response": [self._keep_cookies]})
        self.page: httpx.Response

    def _keep_cookies(self, _: httpx.Response) -> None:
        # Keycloak marks its cookies Secure; browsers send those to loopback addresses all the same, httpx does not.
        for cookie in self.http.cookies.jar:
            cookie.secure = False

    def open(self, url: str, *, until: str = "/auth/callback#") -> str | None:
        """Follow redirects; stop at an address that holds `until` and answer it, else None and keep the page."""
        self.page = self.http.get(url)
        return self._follow(until)

    def _follow(self, until: str) -> str | None:
        while self.page.is_redirect:
            target = urljoin(str(self.page.url), self.page.headers["location"])
            if until in target:
                return target
            self.page = self.http.get(target)
        return None

    def submit(self, *, until: str = "/auth/callback#", press: str | None = None, **filled: str | None) -> str | None:
        """Send the page's form: its hidden and ticked fields as they are, the others as given (None: left out)."""
        form = re.search(r"<form[^>]*action=\"([^\"]+)\"[^>]*>(.*?)</form>", self.page.text, re.DOTALL)
        assert form is not None, self.page.text
        data = {}
        for tag in re.findall(r"<input[^>]*>", form[2]):
            read = dict(re.findall(r"([\w-]+)=\"([^\"]*)\"", tag))
            ticked = read.get("type") == "hidden" or (read.get("type") == "checkbox" and "checked" in tag)
            if ticked and "name" in read:
                data[read["name"]] = unescape(read.get("value", "on"))
        if press is not None:
            button = re.search(rf"<button[^>]*value=\"{press}\"[^>]*>", form[2])
            assert button is not None, form[2]
            data[dict(re.findall(r"([\w-]+)=\"([^\"]*)\"", button[0]))["name"]] = press
        sent = {name: value for name, value in (data | filled).items() if value is not None}
        self.page = self.http.post(urljoin(str(self.page.url), unescape(form[1])), data=sent)
        return self._follow(until)

    def follow(self, holding: str, *, until: str = "/auth/callback#") -> str | None:
        """Click the page's link to an address that holds this."""
        for target in re.findall(r"href=\"([^\"]+)\"", self.page.text):
            if holding in target:
                return self.open(urljoin(str(self.page.url), unescape(target)), until=until)
        pytest.fail(f"no link with {holding} in {self.page.text}")


@pytest.fixture
def browser() -> Iterator[Browser]:
    one = Browser()
    yield one
    one.http.close()


UPSTREAM_PASSWORD = "dev-only-upstream-1"


class Upstream:
    """A second realm that plays Google."""

    def __init__(self, keycloak: Keycloak) -> None:
        self.keycloak = keycloak

    def person(self, email: str, *, verified: bool = True) -> None:
        """Give somebody an account at Google."""
        self.keycloak.ask(
            "POST",
            "/upstream/users",
            json={
                "username": email,
                "email": email,
                "emailVerified": verified,
                "firstName": "Grace",
                "lastName": "Hopper",
                "enabled": True,
                "credentials": [{"type": "password", "value": UPSTREAM_PASSWORD, "temporary": False}],
            },
        ).raise_for_status()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def upstream(keycloak: Keycloak, shared: Shared) -> Upstream:
    """Google, once for the whole run."""
    with locked(shared.folder / "upstream.lock"):
        if not (shared.folder / "upstream").exists():
            _make_upstream(keycloak)
            (shared.folder / "upstream").touch()
    return Upstream(keycloak)


def _make_upstream(keycloak: Keycloak) -> None:
    client = {
        "clientId": "kijko-broker",
        "secret": "dev-only-broker-secret",
        "redirectUris": [f"{keycloak.url}/realms/kijko/broker/google/endpoint"],
        "attributes": {"pkce.code.challenge.method": "S256"},
    }
    answer = keycloak.ask("POST", "", json={"realm": "upstream", "enabled": True, "clients": [client]})
    assert answer.status_code in {201, 409}, answer.text
    google = keycloak.ask("GET", "/kijko/identity-provider/instances/google").json()
    oidc = f"{keycloak.url}/realms/upstream/protocol/openid-connect"
    google["providerId"] = "oidc"
    google["config"] |= {
        "clientId": client["clientId"],
        "clientSecret": client["secret"],
        "authorizationUrl": f"{oidc}/auth",
        "tokenUrl": f"{oidc}/token",
        "userInfoUrl": f"{oidc}/userinfo",
        "jwksUrl": f"{oidc}/certs",
        "issuer": f"{keycloak.url}/realms/upstream",
    }
    keycloak.ask("DELETE", "/kijko/identity-provider/instances/google").raise_for_status()
    keycloak.ask("POST", "/kijko/identity-provider/instances", json=google).raise_for_status()


@pytest.fixture
def github(keycloak: Keycloak, shared: Shared) -> Iterator[GitHub]:
    """GitHub, for one test at a time: the realm knows one address of it."""
    hub = GitHub()
    with locked(shared.folder / "github.lock"):
        provider = keycloak.ask("GET", "/kijko/identity-provider/instances/github").json()
        provider["config"] |= {"baseUrl": hub.url, "apiUrl": f"{hub.url}/api", "clientSecret": "dev-only-github-secret"}
        keycloak.ask("PUT", "/kijko/identity-provider/instances/github", json=provider).raise_for_status()
        yield hub
    hub.close()


@pytest.fixture
def proxy() -> Iterator[Callable[[str], Proxy]]:
    """`proxy(url)`: something in front of the server at that address."""
    made: list[Proxy] = []

    def make(url: str) -> Proxy:
        parts = urlsplit(url)
        made.append(Proxy(parts.hostname or "", parts.port or 0))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
async def sweeping(stack_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sweeping]:
    """The scheduler's rounds, one at a time."""
    for name, value in stack_env.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    database = await connect_worker(settings, "tests")
    client = KeycloakClient(settings.keycloak)
    yield Sweeping(
        lambda: identity.repair(database, client, settings), lambda: identity.watch_resets(database, client, settings)
    )
    await client.aclose()
    await database.database.close()


class Fragile:
    """An API of its own whose way to Keycloak and to Postgres can be broken."""

    def __init__(self, served: Served, keycloak: Proxy, database: Proxy) -> None:
        self.served = served
        self.keycloak = keycloak
        self.database = database
        self.http = httpx.AsyncClient(
            base_url=served.url + "/api", headers={"X-Forwarded-For": fresh_address()}, timeout=60
        )

    async def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return await self.http.post(path, json=body)

    async def signup_until(self, email: str, step: bytes) -> "asyncio.Task[httpx.Response]":
        """Begin a sign-up, and return when it is held at the request to Keycloak that holds `step`."""
        self.keycloak.hold(lambda chunk: step in chunk)
        task = asyncio.create_task(self.post("/auth/signup", signup_body(email)))
        assert await asyncio.to_thread(self.keycloak.reached.wait, 20)
        return task

    async def crash(self, *tasks: "asyncio.Task[httpx.Response]") -> None:
        """As if the machine had gone."""
        self.served.process.kill()
        for task in tasks:
            with pytest.raises(httpx.TransportError):
                await task


@pytest.fixture
def fragile(
    serve: Callable[..., Served],  # noqa: F811  # the fixture
    proxy: Callable[[str], Proxy],
    stack_env: dict[str, str],
) -> Callable[..., Fragile]:
    def make(**settings: str) -> Fragile:
        real = stack_env["KIJKO_KEYCLOAK_URL"]
        database_url = stack_env["KIJKO_DATABASE_API_URL"]
        keycloak, database = proxy(real), proxy(database_url)
        address = urlsplit(database_url)
        served = serve(
            KIJKO_KEYCLOAK_URL=f"http://127.0.0.1:{keycloak.port}",
            KIJKO_KEYCLOAK_PUBLIC_URL=real,
            KIJKO_DATABASE_API_URL=database_url.replace(f":{address.port}/", f":{database.port}/"),
            KIJKO_HTTP_TRUSTED_PROXIES='["127.0.0.1/32"]',
            **settings,
        )
        return Fragile(served, keycloak, database)

    return make


def problem(answer: httpx.Response) -> tuple[int, str]:
    """The status and code of an error."""
    document = json.loads(answer.content)
    assert document["detail"] == document["message"], document
    return answer.status_code, document["code"]
