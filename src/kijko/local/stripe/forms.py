"""Stripe's form encoding: `a[b]=1&c[0]=2` is `{"a": {"b": "1"}, "c": ["2"]}`."""

import re
from typing import Any
from urllib.parse import parse_qsl

from kijko.local.stripe.errors import StripeError

Form = dict[str, Any]  # text, lists and dicts of these, as deep as the sender nests them
_DEEPEST = 8
_KEY = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")


def decode(encoded: bytes) -> Form:
    """Read a query or body.

    Raises:
        StripeError: a key that is not well formed.
    """
    tree: Form = {}
    for key, value in parse_qsl(encoded.decode("utf-8", "replace"), keep_blank_values=True):
        match = _KEY.match(key)
        path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])] if match else []
        if not path or len(path) > _DEEPEST:
            raise StripeError(f"Invalid parameter name: {key}", code="parameter_unknown", param=key)
        _insert(tree, path, value, key)
    return {name: _lists(value) for name, value in tree.items()}


def _insert(tree: Form, path: list[str], value: str, key: str) -> None:
    for step in path[:-1]:
        tree = tree.setdefault(step or str(len(tree)), {})
        if not isinstance(tree, dict):
            raise StripeError(f"Invalid parameter: {key} is both a value and a hash", param=key)
    tree[path[-1] or str(len(tree))] = value


def _lists(value: Any) -> Any:
    """Turn `{"0": a, "1": b}` into `[a, b]`, all the way down."""
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(each) for name, each in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
