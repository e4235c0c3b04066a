"""The chunking webhook's secret over HTTP."""

import base64
import uuid
from collections.abc import Callable

import httpx

from tests.conftest import Person
from tests.projects.making import make_project

Make = Callable[..., Person]


async def test_who_may_change_settings_reads_the_secret_and_it_stays(person: Make) -> None:
    one = person()
    settings = {"webhookUrl": "https://chunks.example.org/cut"}
    project = await make_project(one, chunkingStrategy="custom", settings=settings)
    path = f"/projects/{project['id']}/chunking-webhook"
    answer = await one.http.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told["url"] == "https://chunks.example.org/cut"
    assert len(base64.b64decode(told["secret"].removeprefix("whsec_"))) == 32
    assert (await one.http.get(path)).json() == told
    other = await make_project(one)
    assert (await one.http.get(f"/projects/{other['id']}/chunking-webhook")).json()["secret"] != told["secret"]


async def test_a_stranger_finds_no_project(person: Make) -> None:
    project = await make_project(person())
    answer: httpx.Response = await person().http.get(f"/projects/{project['id']}/chunking-webhook")
    assert (answer.status_code, answer.json()["code"]) == (404, "PROJECT_NOT_FOUND")
    assert (await person().http.get(f"/projects/{uuid.uuid4()}/chunking-webhook")).status_code == 404
