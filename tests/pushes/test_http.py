"""A repository's webhook: the secret that a person enters at the git provider, and what the provider then tells."""

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest

from kijko.models.pushes import PushTaken
from tests.conftest import Person, Shared
from tests.projects.making import hire, join, make_project, said

Owner = psycopg.Connection[Any]
Make = Callable[..., Person]

_PUSH = {"ref": "refs/heads/main", "before": "a" * 40, "after": "b" * 40}
_FOLLOWS = {"processingOptions": {"realTimeIncremental": True}}


def repository_of(owner: Owner, project: dict[str, Any], branch: str = "main") -> str:
    """A repository in a project, as its row: nothing here is fetched."""
    row = owner.execute(
        "insert into project_repositories (organization_id, project_id, provider, repository_url, repository_name, "
        "branch) values (%s, %s, 'github', %s, 'app', %s) returning id",
        (project["organizationId"], project["id"], f"https://github.com/acme/{uuid.uuid4().hex}", branch),
    ).fetchone()
    assert row is not None
    return str(row[0])


def became(answer: httpx.Response) -> tuple[bool, str]:
    """What a delivery's answer says: whether it started an ingestion, and the reason."""
    told = PushTaken.model_validate(answer.json())
    assert told.message.endswith(".")
    return told.started, told.reason


class Hook:
    """A git provider that knows the webhook."""

    def __init__(self, api: httpx.AsyncClient, told: dict[str, str]) -> None:
        self.api, self.secret = api, told["secret"]
        self.path = httpx.URL(told["url"]).path

    async def github(self, body: Any, *, event: str = "push", delivery: str | None = None, **other: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signature = "sha256=" + hmac.new(self.secret.encode(), raw, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery or str(uuid.uuid4()),
            "X-Hub-Signature-256": signature,
        } | {name.replace("_", "-"): value for name, value in other.items()}
        return await self.api.post(self.path, content=raw, headers=headers)

    async def gitlab(self, body: Any, *, event: str = "Push Hook", **other: str) -> Any:
        headers = {
            "X-Gitlab-Event": event,
            "X-Gitlab-Event-UUID": str(uuid.uuid4()),
            "X-Gitlab-Token": self.secret,
        } | {name.replace("_", "-"): value for name, value in other.items()}
        return await self.api.post(self.path, json=body, headers=headers)


async def hook_of(one: Person, api: httpx.AsyncClient, project: dict[str, Any], repository: str) -> Hook:
    answer = await one.http.get(f"/projects/{project['id']}/repositories/{repository}/webhook")
    assert answer.status_code == 200, answer.text
    return Hook(api, answer.json())


def deliveries(owner: Owner, repository: str) -> list[tuple[str, str]]:
    return owner.execute(
        "select delivery, event from repository_deliveries where repository_id = %s order by received_at", (repository,)
    ).fetchall()


def starts(owner: Owner, repository: str) -> int:
    """How many deliveries asked for an ingestion."""
    row = owner.execute(
        "select count(*) from repository_deliveries where repository_id = %s and asked", (repository,)
    ).fetchone()
    assert row is not None
    return int(row[0])


async def test_the_secret_is_made_once_kept_encrypted_and_not_cached(person: Make, owner: Owner) -> None:
    one = person()
    project = await make_project(one)
    first, second = repository_of(owner, project), repository_of(owner, project)
    address = f"/projects/{project['id']}/repositories/{first}/webhook"
    answer = await one.http.get(address)
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told["url"].endswith(f"/webhooks/repository/{first}")
    assert len(told["secret"]) >= 43
    assert (await one.http.get(address)).json() == told
    assert (await one.http.get(address.replace(first, second))).json()["secret"] != told["secret"]
    (kept,) = (
        owner.execute("select secret from repository_webhooks where repository_id = %s", (first,)).fetchone() or ()
    )
    assert told["secret"] not in kept


async def test_the_secret_is_for_who_may_change_the_sources(person: Make, owner: Owner, shared: Shared) -> None:
    boss, stranger = person(), person()
    project = await make_project(boss, privacy="shared")
    address = f"/projects/{project['id']}/repositories/{repository_of(owner, project)}/webhook"
    assert said(await stranger.http.get(address)) == (404, "PROJECT_NOT_FOUND")
    for role, status in (("viewer", 403), ("auditor", 403), ("developer", 200), ("manager", 200)):
        member = hire(owner, shared, boss, person())
        join(owner, project, member, role)
        assert (await member.http.get(address)).status_code == status
    other = await make_project(boss)
    assert said(await boss.http.get(address.replace(project["id"], other["id"]))) == (404, "REPOSITORY_NOT_FOUND")
    for nothing in (str(uuid.uuid4()), "no-id"):
        answer = await boss.http.get(f"/projects/{project['id']}/repositories/{nothing}/webhook")
        assert said(answer) == (404, "REPOSITORY_NOT_FOUND")


@pytest.mark.parametrize("provider", ["github", "gitlab"])
async def test_a_push_to_the_branch_of_a_project_that_follows_asks_for_an_ingestion(
    person: Make, owner: Owner, api: httpx.AsyncClient, provider: str
) -> None:
    one = person()
    project = await make_project(one, settings=_FOLLOWS)
    repository = repository_of(owner, project, "release/1.x")
    hook = await hook_of(one, api, project, repository)
    call = hook.github if provider == "github" else hook.gitlab
    nothing = [
        ({**_PUSH, "ref": "refs/heads/main"}, "other_branch"),
        ({**_PUSH, "ref": "refs/tags/release/1.x"}, "other_branch"),
        ({**_PUSH, "ref": "refs/heads/release/1.x", "after": "0" * 40}, "branch_deleted"),
        ({"zen": "Keep it logically awesome."}, "other_branch"),
        ({"ref": ["refs/heads/release/1.x"]}, "other_branch"),
    ]
    for body, reason in nothing:
        answer = await call(body)
        assert (answer.status_code, became(answer)) == (202, (False, reason))
    answer = await call({**_PUSH, "ref": "refs/heads/release/1.x"}, event="issues")
    assert became(answer) == (False, "no_push")
    assert starts(owner, repository) == 0
    answer = await call({**_PUSH, "ref": "refs/heads/release/1.x"})
    assert (answer.status_code, became(answer)) == (202, (True, "started"))
    assert starts(owner, repository) == 1
    assert len(deliveries(owner, repository)) == 7


async def test_a_project_that_does_not_follow_pushes_takes_them_and_starts_nothing(
    person: Make, owner: Owner, api: httpx.AsyncClient
) -> None:
    one = person()
    for settings in (None, {"processingOptions": {"realTimeIncremental": False}}):
        project = await make_project(one, settings=settings)
        repository = repository_of(owner, project)
        answer = await (await hook_of(one, api, project, repository)).github(_PUSH)
        assert (answer.status_code, became(answer)) == (202, (False, "not_followed"))
        assert "processingOptions.realTimeIncremental" in answer.json()["message"]
        assert starts(owner, repository) == 0


async def test_a_delivery_that_comes_again_asks_for_nothing(person: Make, owner: Owner, api: httpx.AsyncClient) -> None:
    one = person()
    project = await make_project(one, settings=_FOLLOWS)
    repository = repository_of(owner, project)
    hook = await hook_of(one, api, project, repository)
    for delivery in ("one", "one", "another"):  # its name is not what is signed
        assert (await hook.github(_PUSH, delivery=delivery)).status_code == 202
    ((known, event),) = deliveries(owner, repository)
    assert (known[:7], event) == ("sha256:", "push")
    assert starts(owner, repository) == 1
    # Where a delivery has no name, its body is one.
    body, headers = json.dumps(_PUSH), {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": hook.secret}
    for _ in range(2):
        assert (await api.post(hook.path, content=body, headers=headers)).status_code == 202
    assert starts(owner, repository) == 2
    answers = [await hook.github(_PUSH) for _ in range(2)]
    assert [became(answer) for answer in answers] == [(False, "delivered_before")] * 2


async def test_a_push_to_a_default_branch_that_was_not_seen_yet_is_known_by_what_the_delivery_says(
    person: Make, owner: Owner, api: httpx.AsyncClient
) -> None:
    one = person()
    project = await make_project(one, settings=_FOLLOWS)
    repository = repository_of(owner, project, "HEAD")
    hook = await hook_of(one, api, project, repository)
    trunk = {"repository": {"default_branch": "trunk"}}
    assert became(await hook.github(_PUSH | trunk)) == (False, "other_branch")
    assert became(await hook.github(_PUSH | trunk | {"ref": "refs/heads/trunk"})) == (True, "started")
    at_gitlab = _PUSH | {"ref": "refs/heads/next", "project": {"default_branch": "next"}}
    assert became(await hook.gitlab(at_gitlab)) == (True, "started")


async def test_a_push_that_the_plan_has_no_ingestion_left_for_says_so(
    person: Make, owner: Owner, api: httpx.AsyncClient
) -> None:
    one = person(plan="free")
    project = await make_project(one, settings=_FOLLOWS)
    repository = repository_of(owner, project)
    hook = await hook_of(one, api, project, repository)
    owner.execute(
        "select kijko.reserve_for(%s, 'ingestions', 50, gen_random_uuid(), %s)", (one.organization_id, one.id)
    )
    answer = await hook.github(_PUSH)
    assert (answer.status_code, became(answer)) == (202, (False, "quota_exceeded"))


async def test_a_form_with_the_payload_is_read_too(person: Make, owner: Owner, api: httpx.AsyncClient) -> None:
    one = person()
    project = await make_project(one, settings=_FOLLOWS)
    repository = repository_of(owner, project)
    hook = await hook_of(one, api, project, repository)
    form = b"payload=" + quote(json.dumps(_PUSH)).encode()
    answer = await hook.github(form, Content_Type="application/x-www-form-urlencoded")
    assert answer.status_code == 202
    assert starts(owner, repository) == 1


async def test_what_is_not_signed_with_the_secret_is_refused(
    person: Make, owner: Owner, api: httpx.AsyncClient
) -> None:
    one = person()
    project = await make_project(one, settings=_FOLLOWS)
    repository = repository_of(owner, project)
    hook = await hook_of(one, api, project, repository)
    body = json.dumps(_PUSH).encode()
    good = "sha256=" + hmac.new(hook.secret.encode(), body, hashlib.sha256).hexdigest()
    refused = [
        {},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": good[:-1]},
        {"X-Hub-Signature-256": good.removeprefix("sha256=")},
        {"X-Hub-Signature": good},
        {"X-Hub-Signature-256": "ü"},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64, "X-Gitlab-Token": hook.secret},
        {"X-Gitlab-Token": hook.secret[:-1]},
        {"X-Gitlab-Token": ""},
    ]
    for headers in refused:
        raw = {name: value.encode() for name, value in headers.items()} | {"X-GitHub-Event": b"push"}
        answer = await api.post(hook.path, content=body, headers=raw)
        assert said(answer) == (401, "INVALID_SIGNATURE"), headers
    changed = await api.post(hook.path, content=body + b" ", headers={"X-Hub-Signature-256": good})
    assert said(changed) == (401, "INVALID_SIGNATURE")
    assert deliveries(owner, repository) == []


async def test_what_is_signed_and_is_no_json_is_told_so(person: Make, owner: Owner, api: httpx.AsyncClient) -> None:
    one = person()
    project = await make_project(one, settings=_FOLLOWS)
    hook = await hook_of(one, api, project, repository_of(owner, project))
    for body in (b"", b"{", b"[1]", b"\xff"):
        assert said(await hook.github(body)) == (400, "MALFORMED_JSON")
    answer = await hook.github(b"other=1", Content_Type="application/x-www-form-urlencoded")
    assert said(answer) == (400, "MALFORMED_JSON")


async def test_an_unknown_repository_and_one_without_a_secret_are_the_same(
    person: Make, owner: Owner, api: httpx.AsyncClient
) -> None:
    one = person()
    without = repository_of(owner, await make_project(one))
    told = set()
    for repository in (without, str(uuid.uuid4()), "no-id"):
        answer = await api.post(f"/webhooks/repository/{repository}", json=_PUSH, headers={"X-Gitlab-Token": "x"})
        assert said(answer) == (404, "REPOSITORY_NOT_FOUND")
        told.add(answer.json()["detail"])
    assert len(told) == 1


async def test_more_than_a_mebibyte_is_refused(person: Make, owner: Owner, api: httpx.AsyncClient) -> None:
    one = person()
    project = await make_project(one)
    hook = await hook_of(one, api, project, repository_of(owner, project))
    assert (await hook.github(b'{"x": "' + b"x" * (1_048_576 - 9) + b'"}')).status_code == 202
    assert said(await hook.github(b'{"x": "' + b"x" * 1_048_576 + b'"}')) == (413, "PAYLOAD_TOO_LARGE")


async def test_deliveries_and_the_secret_go_with_the_repository(
    person: Make, owner: Owner, api: httpx.AsyncClient
) -> None:
    one = person()
    project = await make_project(one)
    repository = repository_of(owner, project)
    hook = await hook_of(one, api, project, repository)
    await hook.github(_PUSH)
    owner.execute("delete from project_repositories where id = %s", (repository,))
    assert deliveries(owner, repository) == []
    assert said(await hook.github(_PUSH)) == (404, "REPOSITORY_NOT_FOUND")


async def test_a_secret_whose_key_is_gone_is_made_anew_and_until_then_nothing_fits_it(
    person: Make, owner: Owner, api: httpx.AsyncClient
) -> None:
    one = person()
    project = await make_project(one)
    repository = repository_of(owner, project)
    hook = await hook_of(one, api, project, repository)
    owner.execute("update repository_webhooks set secret = 'sealed-otherwise' where repository_id = %s", (repository,))
    assert said(await hook.github(_PUSH)) == (401, "INVALID_SIGNATURE")
    again = await hook_of(one, api, project, repository)
    assert again.secret != hook.secret
    assert (await again.github(_PUSH)).status_code == 202
    assert (await hook_of(one, api, project, repository)).secret == again.secret
