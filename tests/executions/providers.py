"""Runs at the providers' stand-ins, and what is kept of them."""

import asyncio
import time
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus

import httpx
import psycopg

from tests.conftest import Person, Shared
from tests.skills.test_http import make_skill

Owner = psycopg.Connection[Any]
MODELS = {"anthropic": "claude-sonnet-5", "openai": "gpt-5.4-mini", "google": "gemini-2.5-flash"}


async def start(one: Person, skill: dict[str, Any], text: str) -> str:
    """Accepts a run; its id."""
    answer = await one.http.post(f"/skills/{skill['id']}/execute", json={"input": {"text": text}})
    assert answer.status_code == 202, answer.text
    found: str = answer.json()["executionId"]
    return found


async def skill_on(one: Person, model: str) -> dict[str, Any]:
    """A skill whose prompt is its input `text`."""
    made: dict[str, Any] = await make_skill(one, promptTemplate="{{text}}", model=model)
    return made


async def until(owner: Owner, execution_id: str, status: str) -> None:
    """Returns when the row has that status."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        row = owner.execute("select status from executions where id = %s", (execution_id,)).fetchone()
        if row and row[0] == status:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{execution_id} did not become {status}: {row}")


async def asked(shared: Shared, prompt: str) -> None:
    """Returns when the stand-in has a request with that prompt; an SDK may have to be imported first."""
    deadline = time.monotonic() + 30
    async with httpx.AsyncClient() as http:
        while time.monotonic() < deadline:
            if (await http.get(f"{shared.models_url}/asked?{quote_plus(prompt)}")).json():
                return
            await asyncio.sleep(0.05)
    raise AssertionError(f"nobody asked {prompt!r}")


async def hung_up(shared: Shared, prompt: str, seconds: float = 3) -> float | None:
    """When the stand-in saw the caller of that prompt go, in seconds of the epoch."""
    deadline = time.monotonic() + seconds
    async with httpx.AsyncClient() as http:
        while time.monotonic() < deadline:
            closed: float | None = (await http.get(f"{shared.models_url}/closed?{quote_plus(prompt)}")).json()
            if closed is not None:
                return closed
            await asyncio.sleep(0.05)
    return None


def attempts(owner: Owner, execution_id: str) -> list[dict[str, Any]]:
    """What is kept of each, in order."""
    with owner.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(
            "select * from execution_attempts where execution_id = %s order by claim", (execution_id,)
        ).fetchall()


def entries(owner: Owner, execution_id: str) -> dict[str, dict[str, Any]]:
    """The ledger's entries of a run, by their kind."""
    with owner.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        rows = cursor.execute("select * from usage_ledger where subject_id = %s", (execution_id,)).fetchall()
    found = {row["entry"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def adds_up(owner: Owner, execution_id: str) -> tuple[int | None, Decimal | None]:
    """The run's tokens and cost, which its row, its attempts and its settlement agree on."""
    row = owner.execute(
        "select prompt_tokens, completion_tokens, cost_cents from executions where id = %s", (execution_id,)
    ).fetchone()
    summed = owner.execute(
        "select sum(prompt_tokens), sum(completion_tokens), sum(cost_cents) from execution_attempts "
        "where execution_id = %s",
        (execution_id,),
    ).fetchone()
    settled = entries(owner, execution_id)["settle"]
    assert row == summed == (settled["prompt_tokens"], settled["completion_tokens"], settled["cost_cents"])
    return (None, row[2]) if row[0] is None else (row[0] + row[1], row[2])
