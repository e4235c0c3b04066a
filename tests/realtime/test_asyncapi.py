"""The document of events holds together, names every event there is, and what is told has its shapes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from kijko.models.events import EVENTS
from tests.conftest import Person, Shared
from tests.ingestion.making import ingest, project_of, served
from tests.realtime.socketio import client

Make = Callable[..., Person]
_DOCS = (Path(__file__).parents[2] / "docs" / "realtime.md").read_text()


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [value["$ref"]] if "$ref" in value else []
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


async def test_the_document_is_served_and_everything_it_refers_to_is_there(stack_env: dict[str, str]) -> None:
    async with httpx.AsyncClient() as http:
        document = (await http.get(stack_env["KIJKO_API_URL"] + "/asyncapi.json")).json()
    assert document["asyncapi"] == "3.0.0"
    assert {one["name"] for one in document["components"]["messages"].values()} == {one.name for one in EVENTS}
    for reference in set(_references(document)):
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def test_the_page_about_real_time_names_every_event() -> None:
    assert [one.name for one in EVENTS if f"`{one.name}" not in _DOCS] == []


async def test_what_an_ingestion_tells_has_the_shapes(person: Make, shared: Shared, stack_env: dict[str, str]) -> None:
    one = person()
    project = await project_of(one, served(shared, {"a.py": "def a():\n    return 1\n"}))
    async with client(stack_env, one.token) as listening:  # which holds every event to its shape
        await listening.next()
        await listening.join(project)
        await ingest(one, project)
        names = {event for event, _, _ in await listening.until("ingestion_complete")}
        names |= (
            {event for event, _, _ in await listening.until("ingestion:complete")}
            if ("ingestion:complete" not in names)
            else set()
        )
    assert names == {"phase_started", "progress_update", "ingestion_complete", "ingestion:complete"}
