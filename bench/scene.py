"""The stack that is measured: started for the run on free ports, with one organization of 1,000 skills.

With `BENCH_HOME` it lies in that folder and stays there, for what takes long to fill.
"""

import contextlib
import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import psycopg
from tests.fakes import issuer as issuers
from tests.fakes.git_server import GitServer

from bench.processes import free_port
from kijko.local.stack import Stack


@dataclass(frozen=True)
class Scene:
    """Where everything is and who asks."""

    environ: dict[str, str]
    issuer: issuers.Issuer
    user: uuid.UUID
    organization: uuid.UUID
    skill: uuid.UUID
    token: str
    key: str
    """An API key of the same person's. Its calls are counted against a limit, as most plans have one."""
    git: GitServer
    """Serves repositories to whoever ingests them."""
    models: str
    """host:port where OpenAI is looked for; what measures it starts the stand-in there."""
    admin_url: str
    """The database as its superuser, who alone may have plans told."""

    def process(self, part: str) -> psutil.Process:
        """A part's process, by its name in `kijko status`."""
        return psutil.Process(int(self.environ[f"KIJKO_PID_{part}"]))

    @property
    def api(self) -> str:
        """The API's address."""
        return self.environ["KIJKO_API_URL"] + "/api"

    @property
    def host(self) -> str:
        """The API's host:port."""
        return self.environ["KIJKO_API_URL"].removeprefix("http://")

    @property
    def baseline(self) -> dict[str, str]:
        """What the baselines read from their environment."""
        return {
            "BENCH_DATABASE_URL": self.environ["KIJKO_DATABASE_API_URL"],
            "BENCH_REDIS_URL": self.environ["KIJKO_REDIS_URL"],
            "BENCH_JWKS": json.dumps(self.issuer.jwks()),
            "BENCH_ISSUER": self.issuer.url,
            "BENCH_USER": str(self.user),
            "BENCH_ORGANIZATION": str(self.organization),
        }


@contextlib.contextmanager
def scene() -> Iterator[Scene]:
    """Starts the stack without Keycloak (its part in a request is its keys) and fills it."""
    kept = os.environ.get("BENCH_HOME")
    folder = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="kijko-b-"))
    folder.mkdir(parents=True, exist_ok=True)
    url, server = issuers.serve(folder)
    git = GitServer(folder / "served").__enter__()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KIJKO_")} | {
        "KIJKO_PORT": str(free_port()),
        "KIJKO_GIT_ALLOWED_HOSTS": json.dumps([git.pair]),
        "KIJKO_AUTH_TRUSTED_ISSUERS": json.dumps([{"issuer": url, "jwks_url": url}]),
    }
    environ["KIJKO_EVENTS_CONNECTIONS"] = "5000"
    models = f"127.0.0.1:{free_port()}"
    environ["KIJKO_MODELS_OPENAI_BASE_URL"] = f"http://{models}/v1"
    environ["KIJKO_MODELS_OPENAI_API_KEY"] = "dev-only-openai"
    parts = ("postgres", "redis", "mail", "stripe", "api", "worker", "scheduler")
    stack = Stack(folder / "home", parts=parts, environ=environ, say=print)
    stack.start()
    try:
        issuer = issuers.Issuer(url, folder / "issuer.pem")
        yield _fill(stack.environment(), issuer, git, models, stack.database().url())
    finally:
        stack.stop() if kept else stack.remove()
        server.shutdown()
        git.__exit__(None, None, None)


def _fill(environ: dict[str, str], issuer: issuers.Issuer, git: GitServer, models: str, admin_url: str) -> Scene:
    user = uuid.uuid4()
    with psycopg.connect(environ["KIJKO_DATABASE_URL"], autocommit=True) as owner:
        register = "select kijko.register(%s, %s, 'Bench', 'Person', true, 'Bench')"
        organization = _one(owner, register, (user, f"{user}@bench.test"))
        owner.execute("select kijko.grant_plan(%s, 'enterprise', 'bench')", (organization,))
        owner.execute(
            "insert into skills (organization_id, user_id, name, description, prompt_template, model, input_schema, "
            "updated_at) "
            "select %s, %s, 'Skill ' || n, 'What skill ' || n || ' is for', 'Summarise {{text}}', 'echo', "
            """'[{"name": "text", "type": "string", "required": true}]', now() - n * interval '1 minute' """
            "from generate_series(1, 1000) n",
            (organization, user),
        )
        owner.execute(
            "insert into skill_versions (organization_id, skill_id, version, prompt_template, model, parameters, "
            "input_schema, output_format, created_by) "
            "select organization_id, id, 1, prompt_template, model, parameters, input_schema, output_format, user_id "
            "from skills where organization_id = %s",
            (organization,),
        )
        owner.execute("update plans set api_calls = 1000000000 where id = 'enterprise'")
        owner.execute("analyze")
        skill = _one(owner, "select id from skills where organization_id = %s and name = 'Skill 500'", (organization,))
    token = issuer.token(user, organization)
    return Scene(environ, issuer, user, organization, skill, token, _key(environ, token), git, models, admin_url)


def _key(environ: dict[str, str], token: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    made = httpx.post(environ["KIJKO_API_URL"] + "/api/api-keys", json={"name": "bench"}, headers=headers, timeout=30)
    key: str = made.raise_for_status().json()["key"]
    return key


def _one(owner: psycopg.Connection, statement: str, arguments: tuple[object, ...]) -> uuid.UUID:
    row = owner.execute(statement.encode(), arguments).fetchone()
    assert row is not None
    found: uuid.UUID = row[0]
    return found
