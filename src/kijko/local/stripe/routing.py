"""From a method and a path to the function that answers."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kijko.local.stripe.errors import StripeError
from kijko.local.stripe.store import Object, Store


@dataclass(frozen=True)
class Call:
    """One request: its parameters as decoded, the ids in its path, and the store."""

    store: Store
    form: Mapping[str, Any]
    ids: Mapping[str, str]
    path: str

    @property
    def now(self) -> int:
        """Seconds since the epoch."""
        return int(time.time())


Handler = Callable[[Call], Object]
_ROUTES: list[tuple[str, re.Pattern[str], Handler]] = []


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    """Answer `method path` with this function; `{id}` in the path arrives in `call.ids`."""
    pattern = re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "$")

    def mark(handler: Handler) -> Handler:
        _ROUTES.append((method, pattern, handler))
        return handler

    return mark


def find(method: str, path: str) -> tuple[Handler, dict[str, str]]:
    """The function for a request and the ids in its path.

    Raises:
        StripeError: there is none.
    """
    for known, pattern, handler in _ROUTES:
        match = pattern.match(path)
        if match and known == method:
            return handler, match.groupdict()
    message = f"Unrecognized request URL ({method}: {path})."
    raise StripeError(message, status=404)
