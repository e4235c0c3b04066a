"""What generators of clients trip over or show badly in FastAPI's document, put right."""

from collections.abc import Iterator
from typing import Any, Final

import orjson

from kijko.middleware.answer import MEDIA_TYPE
from kijko.models.problem import Problem

Json = dict[str, Any]  # OpenAPI's own JSON

_SCHEMAS: Final = "#/components/schemas/"
_EXAMPLES: Final = "#/components/examples/"
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_NULL: Final = {"type": "null"}
_FIELDS: Final = tuple(field.alias or name for name, field in Problem.model_fields.items())


def tidy(document: Json) -> None:
    """Change the document in place; it means what it meant.

    Fields have no titles, which say their names again in small letters. What is always there has no default. Bounds of
    whole numbers are whole. A shape that differs as it comes in has its own name as it goes out, and `…Input` as it
    comes in. A parameter that may be left out is not said to be null, which no address can say; a header is one text.
    What has a default in a body says so in words: some generators take it for what must be there.
    """
    for schema in document["components"]["schemas"].values():
        _tidy_fields(schema)
    for operation in _operations(document):
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _without_null(parameter["schema"])
            if parameter["in"] == "header" and parameter["schema"].get("type") == "array":  # lines, joined by commas
                parameter["schema"] = {"type": "string"}
        for content in _contents(operation):
            content["schema"].pop("title", None)
    for name in _taken(document):
        _say_defaults(document["components"]["schemas"][name])
    _rename(document)


def share_problems(document: Json) -> None:
    """Move the examples of problems, of which most operations have the same, to the components."""
    shared: Json = document["components"].setdefault("examples", {})
    for operation in _operations(document):
        for answer in operation["responses"].values():
            examples = answer.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {})
            for code, example in examples.items():
                # FastAPI leaves out what is null.
                whole = {name: example["value"].get(name) for name in _FIELDS}
                if isinstance(whole["details"], dict) and "metric" in whole["details"]:
                    whole["details"].setdefault("resetsAt", None)
                name = _place(shared, code, {**example, "value": whole})
                examples[code] = {"$ref": _EXAMPLES + name}


def _place(shared: Json, code: str, example: Json) -> str:
    """The name of that example among the shared: its code, with a number where several features have the code."""
    name, many = code, 1
    while shared.setdefault(name, example) != example:
        many += 1
        name = f"{code}_{many}"
    return name


def _operations(document: Json) -> Iterator[Json]:
    return (operation for operations in document["paths"].values() for operation in operations.values())


def _contents(operation: Json) -> Iterator[Json]:
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for answer in operation["responses"].values():
        yield from answer.get("content", {}).values()


def _tidy_fields(schema: Json) -> None:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        field.pop("title", None)
        if {} in field.get("anyOf", ()):  # any JSON, null too
            del field["anyOf"]
        if name in required:
            field.pop("default", None)


def _taken(document: Json) -> set[str]:
    """The names of the shapes that bodies of requests are made of."""
    found: set[str] = set()
    waiting: list[Any] = [each.get("requestBody") for each in _operations(document)]  # JSON
    while waiting:
        match waiting.pop():
            case {"$ref": str(reference)} if (name := reference.removeprefix(_SCHEMAS)) not in found:
                found.add(name)
                waiting.append(document["components"]["schemas"].get(name))
            case dict() as node:
                waiting += node.values()
            case list() as nodes:
                waiting += nodes
    return {name for name in found if name in document["components"]["schemas"]}


def _say_defaults(schema: Json) -> None:
    for field in schema.get("properties", {}).values():
        if "default" in field:
            default = f"By default `{orjson.dumps(field.pop('default')).decode()}`."
            field["description"] = " ".join(filter(None, (field.get("description"), default)))


def _without_null(schema: Json) -> Json:
    """The schema of a parameter, which is a text or is not there."""
    rest = {name: value for name, value in schema.items() if name not in {"anyOf", "title"}}
    choices = [each for each in schema.get("anyOf", ()) if each != _NULL]
    match choices:
        case []:
            return rest
        case [only]:
            return {**only, **rest}
        case _:
            return {"anyOf": choices, **rest}


def _rename(document: Json) -> None:
    schemas = document["components"]["schemas"]
    names = {name: name.replace("-Input", "Input").removesuffix("-Output") for name in schemas if "-" in name}
    document["components"]["schemas"] = {
        # By its title generators name a shape, too.
        names.get(name, name): schema | {"title": names.get(name, name)}
        for name, schema in schemas.items()
    }
    _walk(document, {_SCHEMAS + old: _SCHEMAS + new for old, new in names.items()})


def _walk(node: Any, references: Json) -> None:  # Any: JSON
    match node:
        case dict():
            if "$ref" in node:
                node["$ref"] = references.get(node["$ref"], node["$ref"])
            for bound in _BOUNDS:
                if isinstance(node.get(bound), float) and node[bound].is_integer():
                    node[bound] = int(node[bound])
            for each in node.values():
                _walk(each, references)
        case list():
            for each in node:
                _walk(each, references)
