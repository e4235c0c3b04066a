"""The document of events says what is really told."""

from collections.abc import Callable
from typing import Any

import httpx

from kijko.models.events import EVENTS
from tests.conftest import Person, Shared
from tests.ingestion.making import ingest, project_of, served
from tests.realtime.making import Owner
from tests.realtime.socketio import client
from tests.skills.test_http import make_skill

Make = Callable[..., Person]


async def test_the_document_names_every_event_and_its_references_lead_somewhere(api: httpx.AsyncClient) -> None:
    document = (await api.get("/asyncapi.json")).json()
    assert document["asyncapi"] == "3.0.0"
    assert {message["name"] for message in document["components"]["messages"].values()} == {one.name for one in EVENTS}
    for reference in _references(document):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    assert "asyncapi.json" in (await api.get("/docs")).text


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [one for each in node for one in _references(each)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if "$ref" in node else []
    return own + [one for each in node.values() for one in _references(each)]


async def test_what_is_told_has_the_documented_shape(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    one = person()
    project = await project_of(one, served(shared, {"a.py": "def a():\n    return 1\n"}))
    skill = await make_skill(one, promptTemplate="Hello {{name}}!")
    shapes = {event.name: event.shape for event in EVENTS if not event.sent}
    seen: set[str] = set()
    async with client(stack_env, one.token) as listening:
        await listening.join(project)
        await one.http.post(f"/skills/{skill['id']}/execute", json={"input": {"name": "Ann"}})
        await ingest(one, project)
        while not {"ingestion_complete", "ingestion:complete", "execution_update"} <= seen:
            name, data, _ = await listening.next()
            seen.add(name)
            read = shapes[name].model_validate(data)
            assert set(data) == {field.alias for field in type(read).model_fields.values()}
            assert read.model_dump(mode="json", by_alias=True).keys() == data.keys()
    assert {"joined", "phase_started", "progress_update"} <= seen
