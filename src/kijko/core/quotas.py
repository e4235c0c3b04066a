"""What a refused reservation (KJ429, raised by kijko.reserve_for) says to the person who asked."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from kijko.core.db.errors import Raised
from kijko.core.errors import AppError, Limited, QuotaExceeded

_GB: Final = 1_000_000_000
_NOUNS: Final[Mapping[str, str]] = {
    "api_calls": "API calls a month",
    "ingestions": "ingestions a month",
    "oracle_queries": "oracle queries a day",
}


class SeatLimit(Limited):
    """All seats of your plan are taken. Remove a member or an open invitation, or upgrade your plan."""

    code = "SEAT_LIMIT"


def refused(raised: Raised) -> AppError:
    """QuotaExceeded, or for seats SeatLimit, with details {metric, limit, used, resetsAt}.

    Storage is told in GB as plans are; `resetsAt` is null, and there is no Retry-After, for what is held (storage,
    seats).
    """
    told: dict[str, Any] = orjson.loads(raised.detail or "{}")  # the function's own JSON
    metric, resets = str(told["metric"]), _instant(told["resetsAt"])
    limit, used = (_shown(metric, told[key]) for key in ("limit", "used"))
    details = {"metric": metric, "limit": limit, "used": used, "resetsAt": _wire(resets)}
    if metric == "seats":
        seats = "seat is" if limit == 1 else "seats are"
        return SeatLimit(
            f"Your plan's {limit} {seats} taken. Remove a member or an open invitation, or upgrade your plan.",
            details=details,
        )
    if resets is None:
        return QuotaExceeded(
            f"Your plan's {limit} GB of storage cannot take this as well. Delete something, or upgrade your plan.",
            details=details,
        )
    left = (resets - datetime.now(UTC)).total_seconds()
    return QuotaExceeded(
        f"Your plan allows {limit} {_NOUNS[metric]}, and they are used up until {resets:%Y-%m-%d %H:%M} UTC. "
        "Wait until then, or upgrade your plan.",
        details=details,
        retry_after_s=max(1, math.ceil(left)),
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _wire(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")


def _shown(metric: str, quantity: float) -> float:
    """What the plans' page shows: GB for bytes; whole numbers without a point."""
    shown = round(quantity / _GB, 3) if metric == "storage" else quantity
    return int(shown) if shown == int(shown) else shown
