"""A name in a body that it does not have: which one was probably meant."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request

from kijko.core.words import nearest

Shape = type[BaseModel]


def shape_of(request: Request) -> Shape | None:
    """The model of this request's body; None where it has none."""
    route = request.scope.get("route")
    body = route.body_field if isinstance(route, APIRoute) else None
    return _model(body.field_info.annotation) if body is not None else None


def misspelt(error: Mapping[str, Any], shape: Shape | None) -> str:  # Any: as pydantic gives it
    """What to add to a field that is missing, or that there is not; empty where no other name is near."""
    *way, name = error["loc"]
    inside = _at(shape, way[1:]) if way[:1] == ["body"] else None
    if inside is None or not isinstance(name, str):
        return ""
    names = {field.alias or key for key, field in inside.model_fields.items()}
    if error["type"] == "extra_forbidden":
        meant = nearest(name, names)
        return f". Did you mean '{meant}'?" if meant else ""
    given = error.get("input")
    if error["type"] == "missing" and isinstance(given, dict):
        strange = nearest(name, (str(key) for key in given if key not in names))
        return f" ('{strange}' is no field here; did you mean '{name}'?)" if strange else ""
    return ""


def _at(shape: Shape | None, way: Sequence[str | int]) -> Shape | None:
    """The model that lies there in a body of this shape."""
    for step in way:
        if shape is None:
            return None
        if isinstance(step, str):
            field = next((each for key, each in shape.model_fields.items() if step in (each.alias, key)), None)
            shape = _model(field.annotation) if field is not None else None
    return shape


def _model(annotation: Any) -> Shape | None:  # Any: a type as written
    """The model in `Model`, `Model | None`, `list[Model]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model(each)) is not None), None)
