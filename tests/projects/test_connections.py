"""Accounts at git providers: the wire protocols of GitHub and GitLab against stand-ins, through the API."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg
import pytest

from kijko.clients import forges
from kijko.core.crypto import Box
from kijko.core.db import Database
from kijko.core.tenancy import Tenants
from kijko.main import create_app
from kijko.models.connections import OAuthConnection
from kijko.models.enums import GitProvider
from kijko.services.projects import credentials
from kijko.services.projects.credentials import Keyring
from kijko.services.projects.locations import Known
from kijko.settings import Git, OAuth, Settings
from tests.conftest import Person, Shared
from tests.fakes.forges import CLIENT
from tests.projects.making import agree, connect, hire, join, make_project, said

PersonFactory = Callable[..., Person]
Owner = psycopg.Connection[Any]
EACH = pytest.mark.parametrize("provider", ["github", "gitlab"])


def login() -> str:
    return f"l{uuid.uuid4().hex[:10]}"


async def connections(one: Person) -> dict[str, dict[str, Any]]:
    return {each["provider"]: each for each in (await one.http.get("/oauth/connections")).json()}


def kept(owner: Owner, one: Person) -> list[Any]:
    return owner.execute("select * from git_connections where user_id = %s", (one.id,)).fetchall()


async def test_whoever_has_connected_nothing_is_told_what_there_is(person: PersonFactory) -> None:
    found = (await person().http.get("/oauth/connections")).json()
    assert [(each["provider"], each["connected"]) for each in found] == [
        (provider, False) for provider in ("github", "gitlab", "bitbucket", "azure")
    ]


@EACH
async def test_an_account_is_connected_used_and_disconnected(
    person: PersonFactory, owner: Owner, shared: Shared, provider: str
) -> None:
    one, name = person(), login()
    for repository in ("app", "site-old", "private-core"):
        shared.repository(f"{name}/{repository}", {"a": "b"}, at=provider)
    answer = await connect(one, provider, name)
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert OAuthConnection.model_validate(made).model_dump(mode="json", by_alias=True) == made
    assert (made["provider"], made["connected"], made["username"]) == (provider, True, name)
    assert made["scope"]
    found = await connections(one)
    assert found[provider] == made
    assert sum(each["connected"] for each in found.values()) == 1

    listed = (await one.http.get("/repositories/batch", params={"provider": provider})).json()
    assert listed["total"] == 3
    assert {each["fullName"] for each in listed["repositories"]} == {
        f"{name}/{each}" for each in ("app", "site-old", "private-core")
    }
    private = next(each for each in listed["repositories"] if each["isPrivate"])
    assert (private["name"], private["isArchived"], private["lastUpdated"]) == (
        "private-core",
        False,
        "2026-01-31T09:30:00Z",
    )

    (row,) = kept(owner, one)
    assert not any(str(each).startswith(("gho_", "glat_")) or "glrt_" in str(each) for each in row)
    assert (await one.http.delete(f"/oauth/disconnect/{provider}")).json() == {"success": True}
    assert kept(owner, one) == []
    refused = await one.http.get("/repositories/batch", params={"provider": provider})
    assert said(refused) == (409, "NOT_AUTHENTICATED")
    assert (await one.http.delete(f"/oauth/disconnect/{provider}")).json() == {"success": True}


@EACH
async def test_an_account_that_is_connected_again_leaves_no_token_alive_behind_it(
    person: PersonFactory, shared: Shared, provider: str
) -> None:
    one, first, second = person(), login(), login()
    server = shared.github_url if provider == "github" else shared.gitlab_url
    for name in (first, second):
        assert (await connect(one, provider, name)).status_code == 200
    async with httpx.AsyncClient(base_url=server) as told:
        left = [each for each in (await told.get(f"/alive/{first}")).json() if not each.startswith("glrt_")]
        assert left == []
        assert (await told.get(f"/alive/{second}")).json() != []


@EACH
async def test_an_answer_of_a_shape_that_no_forge_has_is_a_503(person: PersonFactory, provider: str) -> None:
    one = person()
    refused = await connect(one, provider, f"odd-user-{login()}")
    assert said(refused) == (503, "UNAVAILABLE")
    assert "not understood" in refused.json()["detail"]
    assert (await connect(one, provider, f"odd-{login()}")).status_code == 200
    assert said(await one.http.get("/repositories/batch", params={"provider": provider})) == (503, "UNAVAILABLE")


@EACH
async def test_a_token_is_not_shown_to_another_server_that_a_list_goes_on_at(
    person: PersonFactory, provider: str
) -> None:
    one = person()
    await connect(one, provider, f"elsewhere-{login()}")
    listed = await one.http.get("/repositories/batch", params={"provider": provider})
    assert (listed.status_code, listed.json()) == (200, {"repositories": [], "total": 0})


@EACH
async def test_a_state_works_once_and_for_the_one_it_was_made_for(person: PersonFactory, provider: str) -> None:
    one, thief = person(), person()
    begun = (await one.http.post(f"/oauth/connect/{provider}")).json()["authUrl"]
    code, state = await agree(begun, login())
    body = {"provider": provider, "code": code, "state": state}
    other = "gitlab" if provider == "github" else "github"
    for who, tried in ((thief, body), (one, body | {"state": state + "x"}), (one, body | {"provider": other})):
        answer = await who.http.post("/oauth/callback", json=tried)
        assert (*said(answer), answer.json()["field"]) == (422, "INVALID_AUTHORIZATION", "state")
    assert (await one.http.post("/oauth/callback", json=body)).status_code == 200
    assert said(await one.http.post("/oauth/callback", json=body)) == (422, "INVALID_AUTHORIZATION")
    assert not (await connections(thief))[provider]["connected"]


async def test_a_state_that_took_too_long_or_was_begun_again_is_refused(person: PersonFactory, owner: Owner) -> None:
    one = person()

    async def come_back(url: str) -> Any:
        code, state = await agree(url, login())
        return await one.http.post("/oauth/callback", json={"provider": "github", "code": code, "state": state})

    first, second = [(await one.http.post("/oauth/connect/github")).json()["authUrl"] for _ in range(2)]
    assert said(await come_back(first)) == (422, "INVALID_AUTHORIZATION")
    assert (await come_back(second)).status_code == 200
    late = (await one.http.post("/oauth/connect/github")).json()["authUrl"]
    owner.execute("update git_authorizations set expires_at = now() where user_id = %s", (one.id,))
    assert said(await come_back(late)) == (422, "INVALID_AUTHORIZATION")


@EACH
async def test_a_code_that_the_provider_does_not_take_is_refused(person: PersonFactory, provider: str) -> None:
    one = person()
    begun = (await one.http.post(f"/oauth/connect/{provider}")).json()["authUrl"]
    _, state = await agree(begun, login())
    answer = await one.http.post("/oauth/callback", json={"provider": provider, "code": "made-up", "state": state})
    assert (*said(answer), answer.json()["field"]) == (422, "INVALID_AUTHORIZATION", "code")


async def test_a_token_that_expired_is_renewed_once_however_many_ask(
    person: PersonFactory, shared: Shared, owner: Owner
) -> None:
    one, name = person(), login()
    shared.repository(f"{name}/app", {"a": "b"}, at="gitlab")
    await connect(one, "gitlab", name, lives="1")
    asked = [one.http.get("/repositories/batch", params={"provider": "gitlab"}) for _ in range(5)]
    answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [200] * 5
    row = owner.execute(
        "select expires_at > now() + interval '1 hour', renewing_until from git_connections where user_id = %s",
        (one.id,),
    ).fetchone()
    assert row == (True, None)


async def test_a_token_that_can_be_renewed_no_more_is_forgotten(
    person: PersonFactory, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    one, name = person(), login()
    await connect(one, "gitlab", name, lives="1")
    box = Box(stack_env["KIJKO_AUTH_ENCRYPTION_KEY"])
    stale = box.seal(b'{"access": "glat_x", "refresh": "glrt_x"}')
    owner.execute("update git_connections set tokens = %s where user_id = %s", (stale, one.id))
    refused = await one.http.get("/repositories/batch", params={"provider": "gitlab"})
    assert said(refused) == (409, "NOT_AUTHENTICATED")
    assert kept(owner, one) == []


async def test_a_token_that_was_taken_back_at_the_provider_is_not_authenticated(
    person: PersonFactory, owner: Owner, stack_env: dict[str, str]
) -> None:
    one = person()
    await connect(one, "github", login())
    stale = Box(stack_env["KIJKO_AUTH_ENCRYPTION_KEY"]).seal(b'{"access": "gho_x", "refresh": null}')
    owner.execute("update git_connections set tokens = %s where user_id = %s", (stale, one.id))
    refused = await one.http.get("/repositories/batch", params={"provider": "github"})
    assert said(refused) == (409, "NOT_AUTHENTICATED")
    other_key = Box("A" * 43 + "=").seal(b"{}")
    owner.execute("update git_connections set tokens = %s where user_id = %s", (other_key, one.id))
    assert said(await one.http.get("/repositories/batch", params={"provider": "github"})) == (409, "NOT_AUTHENTICATED")


async def test_a_provider_without_a_client_says_so(person: PersonFactory) -> None:
    one = person()
    for provider in ("bitbucket", "azure"):
        answers = [
            await one.http.post(f"/oauth/connect/{provider}"),
            await one.http.post("/oauth/callback", json={"provider": provider, "code": "x", "state": "x"}),
            await one.http.get("/repositories/batch", params={"provider": provider}),
        ]
        assert [said(answer) for answer in answers] == [(409, "PROVIDER_NOT_CONFIGURED")] * 3
    assert said(await one.http.post("/oauth/connect/sourcehut")) == (404, "UNKNOWN_PROVIDER")
    assert said(await one.http.delete("/oauth/disconnect/sourcehut")) == (404, "UNKNOWN_PROVIDER")
    assert said(await one.http.get("/repositories/batch")) == (422, "VALIDATION_ERROR")


@asynccontextmanager
async def own_api(stack_env: dict[str, str], shared: Shared, oauth: OAuth) -> AsyncIterator[httpx.AsyncClient]:
    """The API in this process, with other forges than the stack has."""
    issuers = (
        ("KIJKO_AUTH_TRUSTED_ISSUERS", [{"issuer": shared.issuer.url, "jwks_url": shared.issuer.url + "/jwks"}]),
    )
    settings = Settings(
        database={"api_url": stack_env["KIJKO_DATABASE_API_URL"]},
        redis={"url": stack_env["KIJKO_REDIS_URL"]},
        keycloak={
            "url": stack_env["KIJKO_KEYCLOAK_URL"],
            "client_secret": stack_env["KIJKO_KEYCLOAK_CLIENT_SECRET"],
        },
        auth={"encryption_key": stack_env["KIJKO_AUTH_ENCRYPTION_KEY"], "trusted_issuers": issuers[0][1]},
        keys={"master": stack_env["KIJKO_KEYS_MASTER"]},
        stripe={"secret_key": "sk_test_dev-only"},
        storage={"url": stack_env["KIJKO_STORAGE_URL"]},
        oauth=oauth,
    )
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api/api") as client,
    ):
        yield client


async def test_a_server_that_is_not_set_up_names_the_settings(
    person: PersonFactory, stack_env: dict[str, str], shared: Shared
) -> None:
    header = {"Authorization": f"Bearer {person().token}"}
    async with own_api(stack_env, shared, OAuth()) as api:
        for provider in ("github", "gitlab"):
            answer = await api.post(f"/oauth/connect/{provider}", headers=header)
            assert said(answer) == (409, "PROVIDER_NOT_CONFIGURED")
            assert f"KIJKO_OAUTH_{provider.upper()}_CLIENT_ID" in answer.json()["detail"]


async def test_a_provider_that_does_not_answer_is_a_503(
    person: PersonFactory, stack_env: dict[str, str], shared: Shared
) -> None:
    one = person()
    await connect(one, "github", login())
    gone = OAuth(
        github_url="http://127.0.0.1:9",
        github_api_url="http://127.0.0.1:9",
        github_client_id=CLIENT[0],
        github_client_secret=CLIENT[1],
    )
    async with own_api(stack_env, shared, gone) as api:
        header = {"Authorization": f"Bearer {one.token}"}
        answer = await api.get("/repositories/batch", params={"provider": "github"}, headers=header)
        assert said(answer) == (503, "UNAVAILABLE")
        assert answer.json()["detail"].startswith("GitHub does not answer")


@asynccontextmanager
async def workers_keys(stack_env: dict[str, str], shared: Shared) -> AsyncIterator[tuple[Keyring, Known]]:
    """What a worker gets at tokens with."""
    settings = Settings(
        git=Git(allowed_hosts=frozenset({shared.github_url[7:], shared.gitlab_url[7:]})),
        oauth=OAuth(
            github_url=shared.github_url,
            github_api_url=shared.github_url + "/api",
            github_client_id=CLIENT[0],
            github_client_secret=CLIENT[1],
            gitlab_url=shared.gitlab_url,
            gitlab_client_id=CLIENT[0],
            gitlab_client_secret=CLIENT[1],
        ),
    )
    database = await Database.connect(
        stack_env["KIJKO_DATABASE_WORKER_URL"],
        pool_size=1,
        statement_timeout_ms=10_000,
        connect_timeout_s=10,
        acquire_timeout_s=10,
        prepared=True,
        application_name="tests",
    )
    hubs = forges.connect(settings)
    box = Box(stack_env["KIJKO_AUTH_ENCRYPTION_KEY"])
    try:
        yield Keyring(Tenants(database).system_reader("a test"), hubs, box), Known.of(settings)
    finally:
        for hub in hubs.values():
            await hub.close()
        await database.close()


async def test_a_renewal_is_finished_for_whoever_comes_next_when_its_asker_goes_away(
    person: PersonFactory, shared: Shared, stack_env: dict[str, str]
) -> None:
    one = person()
    await connect(one, "gitlab", f"slow-{login()}", lives="1")
    async with workers_keys(stack_env, shared) as (keys, _):
        gone = asyncio.create_task(credentials.token(keys, one.id, GitProvider.GITLAB))
        await asyncio.sleep(0.25)  # the provider has given the old refresh token up by now
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert await credentials.token(keys, one.id, GitProvider.GITLAB) is not None
        assert (await connections(one))["gitlab"]["connected"]


async def test_an_ingestion_fetches_with_the_account_of_who_added_the_repository_or_started_it(
    person: PersonFactory, owner: Owner, shared: Shared, stack_env: dict[str, str]
) -> None:
    boss = person()
    adder, starter = hire(owner, shared, boss, person()), hire(owner, shared, boss, person())
    project = await make_project(boss)
    for one in (adder, starter):
        join(owner, project, one, "developer")
    url = f"{shared.gitlab_url}/team/private-app.git"
    body = {"provider": "gitlab", "repositoryUrl": url, "branch": "main"}
    made = (await adder.http.post(f"/projects/{project['id']}/repositories", json=body)).json()

    async with workers_keys(stack_env, shared) as (keys, known):

        async def who(started_by: uuid.UUID | None, at: str = url) -> str | None:
            found = await credentials.for_ingestion(keys, known, uuid.UUID(made["id"]), at, started_by)
            if found is None:
                return None
            async with httpx.AsyncClient() as http:
                told = await http.get(
                    f"{shared.gitlab_url}/api/v4/user", headers={"Authorization": f"Bearer {found.password}"}
                )
            name: str = told.json()["username"]
            return name

        assert await who(starter.id) is None
        names = {}
        for one in (starter, adder):
            names[one.id] = login()
            await connect(one, "gitlab", names[one.id], lives="1")  # has to be renewed
            assert await who(starter.id) == names[one.id]
        assert await who(None) == names[adder.id]
        assert await who(starter.id, "https://github.com/team/app") is None  # another server
        assert await who(starter.id, f"{shared.github_url}/team/app") is None
        owner.execute("update project_members set role = 'viewer' where user_id = %s", (adder.id,))
        assert await who(starter.id) == names[starter.id]
        owner.execute("delete from memberships where user_id = %s", (starter.id,))
        assert await who(starter.id) is None
        assert await credentials.token(keys, adder.id, GitProvider.BITBUCKET) is None
