"""Pages of a list: `limit`, `starting_after`, `ending_before`."""

from collections.abc import Callable, Mapping
from typing import Any

from kijko.local.stripe import params
from kijko.local.stripe.errors import missing
from kijko.local.stripe.routing import Call
from kijko.local.stripe.store import Object

_COMPARE: Mapping[str, Callable[[int, int], bool]] = {
    "gt": lambda created, bound: created > bound,
    "gte": lambda created, bound: created >= bound,
    "lt": lambda created, bound: created < bound,
    "lte": lambda created, bound: created <= bound,
}


def _created(raw: Any, param: str) -> dict[str, Any]:
    """A moment, or bounds of it; always as bounds."""
    if isinstance(raw, dict):
        return params.checked(raw, dict.fromkeys(_COMPARE, params.integer()), param)
    moment = params.integer()(raw, param)
    return {"gte": moment, "lte": moment}


PAGING: Mapping[str, params.Check] = {
    "limit": params.integer(1, 100),
    "starting_after": params.text(),
    "ending_before": params.text(),
    "created": _created,
}


def page(call: Call, kind: str, filters: Mapping[str, params.Check]) -> Object:
    """One page of a kind's living objects, newest first, those that match every filter exactly.

    Raises:
        StripeError: an unknown parameter, or a cursor that names nothing.
    """
    asked = params.checked(call.form, {**PAGING, **filters})
    found = [each for each in call.store.list(kind) if _matches(each, asked, filters)]
    ids = [each["id"] for each in found]
    limit = asked.get("limit", 10)
    after, before = asked.get("starting_after"), asked.get("ending_before")
    for name, cursor in (("starting_after", after), ("ending_before", before)):
        if cursor and cursor not in ids:
            raise missing(kind, cursor, name)
    if before:
        end = ids.index(before)
        start = max(0, end - limit)
        return _list(call.path, found[start:end], has_more=start > 0)
    start = ids.index(after) + 1 if after else 0
    return _list(call.path, found[start : start + limit], has_more=len(found) > start + limit)


def _matches(each: Object, asked: Mapping[str, Any], filters: Mapping[str, object]) -> bool:
    bounds = asked.get("created", {})
    in_time = all(_COMPARE[name](each["created"], bound) for name, bound in bounds.items())
    return in_time and all(each.get(name) == asked[name] for name in filters if asked.get(name) is not None)


def _list(url: str, data: list[Object], *, has_more: bool) -> Object:
    return {"object": "list", "url": url, "has_more": has_more, "data": data}
