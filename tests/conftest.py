"""One running stack for the whole test run, started by the first test that needs it; a fresh organization a test.

The stack is the product's own `kijko up` on free ports and a home of its own, with two settings that only tests have:
a second token issuer is trusted, and X-Forwarded-For is believed, so that each test may come from its own address.
"""

import contextlib
import fcntl
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.fakes import forges, models
from tests.fakes import issuer as issuers
from tests.fakes.git_server import BRANCH, Files, Repository, git

_SHARED = "KIJKO_TESTS_SHARED"
_READY_S = 300
_ROOT = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    # Short, since a Unix socket's path may have 107 bytes; reachable, since Postgres runs as nobody under root.
    shared = Path(tempfile.mkdtemp(prefix="kijko-t-", dir="/tmp" if Path("/tmp").is_dir() else None))  # noqa: S108
    url, issuer = issuers.serve(shared)
    models_url, providers = models.serve()
    hub, lab = forges.serve(shared)
    known = {"folder": str(shared), "issuer": url, "models": models_url, "github": hub.url, "gitlab": lab.url}
    os.environ[_SHARED] = json.dumps(known)
    config.stash[_SERVERS] = (shared, [issuer, providers, hub, lab])


_SERVERS = pytest.StashKey[tuple[Path, list[Any]]]()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    # Innermost, so that what the stack's processes measured is written before coverage is added up.
    result = yield
    if _SERVERS in session.config.stash:
        pid_file = session.config.stash[_SERVERS][0] / "up.pid"
        if pid_file.exists():
            stop_stack(int(pid_file.read_text()))
    return result


def pytest_unconfigure(config: pytest.Config) -> None:
    if _SERVERS not in config.stash:
        return
    shared, servers = config.stash[_SERVERS]
    for server in servers:
        (server.close if isinstance(server, forges.Forge) else server.shutdown)()
    if os.environ.get("KIJKO_TESTS_KEEP"):
        print(f"kept: {shared}")
    else:
        shutil.rmtree(shared, ignore_errors=True)


def stop_stack(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        for _ in range(300):
            os.kill(pid, 0)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass(frozen=True)
class Shared:
    folder: Path
    issuer: issuers.Issuer
    models_url: str
    github_url: str
    gitlab_url: str

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def repository(self, name: str, files: Files, *, at: str = "github") -> Repository:
        """A repository at the stand-in of a forge, `owner/name`; git reads it there, and it is listed."""
        folder = self.folder / at / f"{name}.git"
        folder.mkdir(parents=True)
        git(folder, "init", "--bare", "--quiet", f"--initial-branch={BRANCH}", str(folder))
        url = self.github_url if at == "github" else self.gitlab_url
        made = Repository(folder, f"{url}/{name}.git")
        if files:
            made.commit(files)
        return made


@pytest.fixture(scope="session")
def shared() -> Shared:
    known = json.loads(os.environ[_SHARED])
    folder = Path(known["folder"])
    issuer = issuers.Issuer(known["issuer"], folder / "issuer.pem")
    return Shared(folder, issuer, known["models"], known["github"], known["gitlab"])


def _environment(shared: Shared) -> dict[str, str]:
    trusted = [{"issuer": shared.issuer.url, "jwks_url": shared.issuer.url + "/jwks"}]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KIJKO_")}
    return clean | {
        "KIJKO_HOME": str(shared.home),
        "KIJKO_PORT": str(_free_port()),
        "KIJKO_AUTH_TRUSTED_ISSUERS": json.dumps(trusted),
        "KIJKO_HTTP_TRUSTED_PROXIES": '["127.0.0.1/32"]',
        # Races of many uploads are for the quota's exactness; a person's limit has a test of its own.
        "KIJKO_STORAGE_MAX_AT_ONCE": "40",
        "KIJKO_GIT_ALLOWED_HOSTS": json.dumps([shared.github_url[7:], shared.gitlab_url[7:]]),
        "KIJKO_OAUTH_GITHUB_URL": shared.github_url,
        "KIJKO_OAUTH_GITHUB_API_URL": shared.github_url + "/api",
        "KIJKO_OAUTH_GITHUB_CLIENT_ID": forges.CLIENT[0],
        "KIJKO_OAUTH_GITHUB_CLIENT_SECRET": forges.CLIENT[1],
        "KIJKO_OAUTH_GITLAB_URL": shared.gitlab_url,
        "KIJKO_OAUTH_GITLAB_CLIENT_ID": forges.CLIENT[0],
        "KIJKO_OAUTH_GITLAB_CLIENT_SECRET": forges.CLIENT[1],
        "KIJKO_MODELS_ANTHROPIC_BASE_URL": shared.models_url,
        "KIJKO_MODELS_ANTHROPIC_API_KEY": "dev-only-anthropic",
        "KIJKO_MODELS_OPENAI_BASE_URL": shared.models_url + "/v1",
        "KIJKO_MODELS_OPENAI_API_KEY": "dev-only-openai",
        "KIJKO_MODELS_GOOGLE_BASE_URL": shared.models_url,
        "KIJKO_MODELS_GOOGLE_API_KEY": "dev-only-google",
        "KIJKO_MODELS_TIMEOUT_S": "5",
        "KIJKO_EVENTS_CONNECTIONS": "30",
        "KIJKO_EVENTS_ORGANIZATION_CONNECTIONS": "60",
        "KIJKO_EVENTS_PRESENCE_GRACE_S": "2",
        "KIJKO_EMBEDDING_MODEL": "meaning-1",
        "KIJKO_EMBEDDING_BASE_URL": shared.models_url + "/v1",
        "KIJKO_EMBEDDING_API_KEY": "dev-only-embedding",
        "KIJKO_EMBEDDING_PROJECTS": "vector",
        "KIJKO_GOOGLE_CLIENT_ID": "dev-only-google",
        "KIJKO_GITHUB_CLIENT_ID": "dev-only-github",
        # Keycloak hashes every password: cheaply here, since nothing in the tests is worth guessing.
        "KIJKO_HASH_ALGORITHM": "pbkdf2-sha512) and hashIterations(1000",
    }


def start_stack(shared: Shared, **settings: str) -> int:
    """Starts `kijko up` in that folder, with more settings, and waits until it is healthy; answers its process id."""
    with (shared.folder / "up.log").open("wb") as log:
        up = subprocess.Popen(
            [sys.executable, "-m", "kijko.cli", "up"],
            cwd=_ROOT,
            env=_environment(shared) | settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (shared.folder / "up.pid").write_text(str(up.pid))
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and up.poll() is None:
        with contextlib.suppress(KeyError, httpx.HTTPError):
            url = read_status(shared.home)["KIJKO_API_URL"]
            if httpx.get(url + "/health", timeout=5).json()["status"] == "healthy":
                return up.pid
        time.sleep(0.5)
    pytest.exit("the stack did not start:\n" + (shared.folder / "up.log").read_text()[-4000:], returncode=3)


def read_status(home: Path) -> dict[str, str]:
    """`kijko status -o env` as a dict."""
    told = subprocess.run(
        [sys.executable, "-m", "kijko.cli", "status", "-o", "env"],
        cwd=_ROOT,
        env=os.environ | {"KIJKO_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    return dict(line.split("=", 1) for line in told.stdout.splitlines() if "=" in line)


@pytest.fixture(scope="session")
def stack_env(shared: Shared) -> dict[str, str]:
    """What `kijko status -o env` says of the running stack; the first test to ask starts it."""
    with (shared.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = shared.folder / "env.json"
        if not known.exists():
            start_stack(shared)
            known.write_text(json.dumps(read_status(shared.home)))
        found: dict[str, str] = json.loads(known.read_text())
        return found


@pytest.fixture
def owner(stack_env: dict[str, str]) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the database's owner, which passes row-level security by: for looking, not for acting."""
    with psycopg.connect(stack_env["KIJKO_DATABASE_URL"], autocommit=True) as connection:
        yield connection


def fresh_address() -> str:
    """An address that no other test comes from."""
    return ".".join(["10", *(str(random.randint(1, 254)) for _ in range(3))])


@pytest.fixture
async def api(stack_env: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """The running API, for a caller of an address of their own, without a token."""
    async with httpx.AsyncClient(
        base_url=stack_env["KIJKO_API_URL"], headers={"X-Forwarded-For": fresh_address()}, timeout=30
    ) as client:
        yield client


@dataclass
class Person:
    """Somebody with an organization of their own and a token of the tests' issuer."""

    id: uuid.UUID
    organization_id: uuid.UUID
    email: str
    token: str
    http: httpx.AsyncClient = field(repr=False)


@pytest.fixture
async def person(
    stack_env: dict[str, str], shared: Shared, owner: psycopg.Connection[Any]
) -> AsyncIterator[Callable[..., Person]]:
    """Makes people: `person()`, `person(plan="enterprise")`. Each has an HTTP client that carries their token."""
    made: list[Person] = []

    def make(*, plan: str = "teams") -> Person:
        user = uuid.uuid4()
        email = f"{secrets.token_hex(6)}@people.test"
        row = owner.execute(
            "select kijko.register(%s, %s, 'Test', 'Person', true, 'Test organization')", (user, email)
        ).fetchone()
        assert row is not None
        organization = row[0]
        if plan != "free":
            owner.execute("select kijko.grant_plan(%s, %s, 'a test')", (organization, plan))
        token = shared.issuer.token(user, organization, email=email)
        http = httpx.AsyncClient(
            base_url=stack_env["KIJKO_API_URL"] + "/api",
            headers={"Authorization": f"Bearer {token}", "X-Forwarded-For": fresh_address()},
            timeout=60,
        )
        made.append(Person(user, organization, email, token, http))
        return made[-1]

    yield make
    for one in made:
        await one.http.aclose()
