"""What Kijko is for: a git repository becomes context, a skill runs over it and says what it was given."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg

from tests.conftest import Person, Shared
from tests.executions.test_http import execute
from tests.ingestion.making import ended, served
from tests.ingestion.test_telling import log_of
from tests.skills.test_http import make_skill

Owner = psycopg.Connection[Any]
_LIMITS = """import time

LIMIT = 5


class RateLimiter:
    \"\"\"Refuses whoever asks too often.\"\"\"

    def allow_request(self, client):
        \"\"\"Whether this client may ask once more within the minute.\"\"\"
        now = time.monotonic()
        recent = [at for at in self.seen.get(client, []) if now - at < 60]
        self.seen[client] = [*recent, now]
        return len(recent) < LIMIT
"""
_FILES = {
    "shop/limits.py": _LIMITS,
    "shop/basket.py": "class Basket:\n    def add(self, item):\n        self.items.append(item)\n",
    "web/app.js": "export function render(root) {\n  root.textContent = 'shop';\n}\n",
    "README.md": "# A shop\n\nSells things.\n",
    "package-lock.json": "{}\n",
}
_PHASES = ["repository_fetch", "parsing", "chunking", "optimization", "indexing"]


async def _follow(env: dict[str, str], one: Person, room: str) -> list[tuple[int, str, dict[str, Any]]]:
    """What a client that reads the room's log sees, from the last event it knows on, until the end is told."""
    seen: list[tuple[int, str, dict[str, Any]]] = []
    async with asyncio.timeout(120):
        while not any(event == "ingestion_complete" for _, event, _ in seen):
            log = await asyncio.to_thread(log_of, env, one, room)
            seen += log[len(seen) :]
            await asyncio.sleep(0.05)
    return seen


async def test_from_a_repository_to_a_run_that_cites_it_and_again_after_a_push(
    person: Callable[..., Person], shared: Shared, stack_env: dict[str, str]
) -> None:
    one, repository = person(), served(shared, dict(_FILES))
    made = await one.http.post("/projects", json={"name": "The shop", "type": "repository"})
    project = made.json()["project"]
    tried = await one.http.post("/projects/validate-repository", json={"url": repository.url})
    assert tried.json()["valid"] is True, tried.text
    body = {"provider": "github", "repositoryUrl": repository.url}
    assert (await one.http.post(f"/projects/{project['id']}/repositories", json=body)).json()["branch"] == "main"

    started = await one.http.post(f"/projects/{project['id']}/ingest")
    assert started.status_code == 202, started.text
    seen = await _follow(stack_env, one, f"project:{project['id']}")
    assert [data["phase"] for _, event, data in seen if event == "phase_started"] == _PHASES
    assert [number for number, _, _ in seen] == list(range(1, len(seen) + 1))
    assert seen[-1][2]["success"] is True
    done = await ended(one, project, started.json()["jobId"])
    assert (done["status"], done["metrics"]["filesProcessed"]) == ("completed", 4)
    assert [each["path"] for each in done["skipped"]] == ["package-lock.json"]

    hits = (await one.http.get(f"/projects/{project['id']}/search", params={"q": "rate limiter allow request"})).json()
    assert hits[0]["path"] == "shop/limits.py"
    lines = _LIMITS.splitlines(keepends=True)[hits[0]["startLine"] - 1 : hits[0]["endLine"]]
    assert hits[0]["content"].strip() in "".join(lines)

    exported = await one.http.get(f"/projects/{project['id']}/export", params={"format": "markdown"})
    assert exported.status_code == 200
    assert all(_FILES[path].strip() in exported.text for path in ("shop/limits.py", "shop/basket.py", "README.md"))
    assert "package-lock.json" not in exported.text

    skill = await make_skill(
        one,
        promptTemplate="{{question}}\n\n{{context}}",
        context={"projectId": project["id"], "maxTokens": 400},
    )
    run = await _run(one, skill, "how often may a client ask within a minute?")
    assert "def allow_request(self, client):" in run["renderedPrompt"]
    cited = run["citations"][0]
    assert (cited["path"], cited["commit"]) == ("shop/limits.py", repository.head())
    inside = _LIMITS.splitlines()[cited["startLine"] - 1 : cited["endLine"]]
    assert "    def allow_request(self, client):" in inside
    assert "\n".join(inside) in run["renderedPrompt"]

    pushed = repository.commit({"shop/limits.py": None, "shop/quota.py": _LIMITS.replace("LIMIT = 5", "LIMIT = 9")})
    again = await one.http.post(f"/projects/{project['id']}/ingest", json={"forceReprocess": True})
    assert (await ended(one, project, again.json()["jobId"]))["commits"][0]["commit"] == pushed
    run = await _run(one, skill, "how often may a client ask within a minute?")
    assert (run["citations"][0]["path"], run["citations"][0]["commit"]) == ("shop/quota.py", pushed)
    assert "shop/limits.py" not in run["renderedPrompt"]


async def _run(one: Person, skill: dict[str, Any], question: str) -> dict[str, Any]:
    done = await execute(one, skill, input={"question": question})
    read: dict[str, Any] = (await one.http.get(f"/executions/{done['executionId']}")).json()
    assert (read["status"], read["errorMessage"]) == ("completed", None)
    return read
