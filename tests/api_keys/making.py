"""API keys, and clients that carry one, for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg

from tests.conftest import Person, Shared, fresh_address

ALL = [
    "organizations:read",
    "projects:read",
    "projects:write",
    "ingestion:run",
    "skills:read",
    "skills:write",
    "executions:read",
    "executions:run",
]
Owner = psycopg.Connection[Any]
Json = dict[str, Any]


async def make_key(one: Person, *, name: str = "A key", **more: Any) -> Json:
    """A key of that person's, as it was answered."""
    made = await one.http.post("/api-keys", json={"name": name, "scopes": ALL} | more)
    assert made.status_code == 201, made.text
    found: Json = made.json()
    return found


@asynccontextmanager
async def using(stack_env: dict[str, str], key: str, *, url: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """A client that carries a key and nothing of a person's."""
    async with httpx.AsyncClient(
        base_url=(url or stack_env["KIJKO_API_URL"]) + "/api",
        headers={"Authorization": f"Bearer {key}", "X-Forwarded-For": fresh_address()},
        timeout=30,
    ) as client:
        yield client


def logs(shared: Shared) -> list[str]:
    """What each part of the stack has logged so far."""
    return [path.read_text(errors="replace") for path in (shared.home / "logs").glob("*.log")]


def calls(owner: Owner, one: Person) -> int:
    """API calls that their organization has taken."""
    row = owner.execute(
        "select coalesce(sum(quantity), 0)::int from usage_ledger where organization_id = %s and metric = 'api_calls'",
        (one.organization_id,),
    ).fetchone()
    assert row is not None
    return int(row[0])


def use_up(owner: Owner, one: Person, left: int) -> None:
    """Leaves so many API calls of the plan's month."""
    owner.execute(
        "select kijko.reserve_for(%(organization)s, 'api_calls', (u.allowed - u.used - %(left)s)::numeric, "
        "gen_random_uuid(), %(person)s) from kijko.usage_of(%(organization)s) u where u.metric = 'api_calls'",
        {"organization": one.organization_id, "left": left, "person": one.id},
    )
