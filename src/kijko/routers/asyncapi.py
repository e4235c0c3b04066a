"""The document of what is told over sockets, made of the shapes that are told (AsyncAPI 3.0)."""

from importlib.metadata import version
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from kijko.models.events import EVENTS, About, Described

_PLACE: Final = "#/components/schemas/{model}"
_ADDRESSES: Final = {
    "project": ("project:{projectId}", "Whoever may read a project."),
    "user": ("user:{userId}", "One person; joined with the handshake."),
    "organization": ("organization:{organizationId}", "The people of an organization."),
    "connection": (None, "The connection itself."),
}

Json = dict[str, Any]  # of the AsyncAPI document


def described() -> Json:
    """The document."""
    shapes = {event.shape for event in EVENTS} | {About}
    ordered = sorted(shapes, key=lambda shape: shape.__name__)
    _, schemas = models_json_schema([(shape, "serialization") for shape in ordered], ref_template=_PLACE)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Kijko, real time",
            "version": version("kijko"),
            "description": "Socket.IO at /socket.io, and a project's events as JSON messages at /api/projects/{id}/ws.",
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(name) for name in _ADDRESSES},
        "operations": {_key(event): _operation(event) for event in EVENTS},
        "components": {"messages": {_key(event): _message(event) for event in EVENTS}, "schemas": schemas["$defs"]},
    }


def _channel(name: str) -> Json:
    address, description = _ADDRESSES[name]
    messages = {
        _key(event): {"$ref": f"#/components/messages/{_key(event)}"} for event in EVENTS if event.channel == name
    }
    channel: Json = {"address": address, "description": description, "messages": messages}
    if address is not None:
        parameter = address.split("{")[1].rstrip("}")
        channel["parameters"] = {parameter: {"description": "An id, lower case."}}
    return channel


def _operation(event: Described) -> Json:
    channel = f"#/channels/{event.channel}"
    return {
        "action": "receive" if event.sent else "send",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{_key(event)}"}],
    }


def _message(event: Described) -> Json:
    message: Json = {
        "name": event.name,
        "summary": " ".join((event.shape.__doc__ or "").split()),
        "payload": {"$ref": _PLACE.format(model=event.shape.__name__)},
    }
    if event.channel != "connection":
        message["headers"] = {"$ref": _PLACE.format(model="About")}
    return message


def _key(event: Described) -> str:
    return f"{event.channel}.{event.name.replace(':', '_')}"
