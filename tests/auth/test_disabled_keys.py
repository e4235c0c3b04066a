"""An account that is disabled at the sign-in server loses its API keys, though nobody signs in with those."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import psycopg
import pytest

from kijko.clients.keycloak import Keycloak as KeycloakClient
from kijko.core.tenancy import Tenants
from kijko.services import api_keys
from kijko.settings import Settings
from kijko.workers.runtime import connect_worker
from tests.auth.conftest import Account, Keycloak
from tests.conftest import Person

Make = Callable[..., Any]
Owner = psycopg.Connection[Any]


@pytest.fixture
async def system(stack_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Tenants, Settings]]:
    for name, value in stack_env.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    database = await connect_worker(settings, "tests")
    yield database, settings
    await database.database.close()


async def key_of(one: Account | Person, owner: Owner) -> str:
    """A key that was used just now."""
    made = (await one.http.post("/api-keys", json={"name": "x"})).json()
    owner.execute("update api_keys set last_used_at = now() where id = %s", (made["id"],))
    return str(made["key"])


async def status_with(stack_env: dict[str, str], key: str) -> int:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as client:
        return (await client.get(stack_env["KIJKO_API_URL"] + "/api/skills")).status_code


async def test_keys_of_a_disabled_account_are_revoked_and_no_others(
    account: Make,
    person: Make,
    keycloak: Keycloak,
    owner: Owner,
    stack_env: dict[str, str],
    system: tuple[Tenants, Settings],
) -> None:
    database, settings = system
    disabled, enabled, elsewhere = await account(), await account(), person()
    keys = [await key_of(one, owner) for one in (disabled, enabled, elsewhere)]
    keycloak.update_user(disabled.email, enabled=False)
    away = KeycloakClient(settings.keycloak.model_copy(update={"url": "http://127.0.0.1:1"}))
    await api_keys.ask_after_makers(database, away)
    await away.aclose()
    assert await status_with(stack_env, keys[0]) == 200  # nobody could be asked: the next round asks
    # The stack's own scheduler may have asked in the moment before the account was disabled.
    owner.execute("update api_keys set maker_asked_at = null")
    client = KeycloakClient(settings.keycloak)
    await api_keys.ask_after_makers(database, client)
    assert [await status_with(stack_env, key) for key in keys] == [401, 200, 200]
    asked = owner.execute(
        "select count(*) from api_keys where maker_asked_at is not null and user_id = %s", (elsewhere.id,)
    ).fetchone()
    assert asked == (1,)
    await client.aclose()
