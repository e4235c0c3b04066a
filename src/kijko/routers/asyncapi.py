"""The events described for programs: an AsyncAPI 3.0 document, made of the models in `kijko.models.events`."""

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from kijko.models.base import Wire
from kijko.models.events import EVENTS, About, Described

Json = dict[str, Any]  # AsyncAPI's own JSON

_INTRODUCTION: Final = """
Socket.IO (clients of version 3 and 4) at `/socket.io`, with `auth: {token, lastId?}` in the handshake. An event has
two arguments: its data, described here, and `{room, id, timestamp}`, described as `About`. Ids count from 1 in each
room; whoever joins with the last id they saw gets what they missed, each event once and in order. Your own room is
joined with the handshake. `token` is an access token or an API key, which needs `projects:read`, `executions:read` (for
your own room) or `organizations:read` for a room of that kind.

A project's events also come as JSON `{event, data, timestamp, id}` over a WebSocket,
`/api/projects/{id}/ws?token=&lastId=`.
"""
_CHANNELS: Final[dict[str, tuple[str | None, str]]] = {
    "project": ("project:{id}", "The room of a project, for whoever may read it."),
    "user": ("user:{id}", "A person's own room, joined with the handshake."),
    "organization": ("organization:{id}", "The room of an organization's members."),
    "connection": (None, "What concerns one connection."),
}


def asyncapi_of(version: str) -> Json:
    """The document."""
    models: list[type[Wire]] = sorted({About, *(one.data for one in EVENTS)}, key=lambda model: model.__name__)
    _, found = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Kijko", "version": version, "description": _INTRODUCTION.strip()},
        "defaultContentType": "application/json",
        "channels": {name: _channel(name) for name in _CHANNELS},
        "operations": {
            _key(f"{channel}.{one.name}"): _operation(one, channel) for one in EVENTS for channel in one.channels
        },
        "components": {"messages": {_key(one.name): _message(one) for one in EVENTS}, "schemas": found["$defs"]},
    }


def _channel(name: str) -> Json:
    address, description = _CHANNELS[name]
    told = {_key(one.name) for one in EVENTS if name in one.channels}
    found: Json = {
        "address": address,
        "description": description,
        "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in sorted(told)},
    }
    if address is not None:
        found["parameters"] = {"id": {"description": "The id, a UUID."}}
    return found


def _operation(one: Described, channel: str) -> Json:
    return {
        "action": "receive" if one.by_client else "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{_key(one.name)}"}],
    }


def _message(one: Described) -> Json:
    return {
        "name": one.name,
        "summary": " ".join((one.data.__doc__ or "").split()),
        "payload": {"$ref": f"#/components/schemas/{one.data.__name__}"},
    }


def _key(name: str) -> str:
    """A name as a key of the document, where a colon may not stand."""
    return name.replace(":", "-")
