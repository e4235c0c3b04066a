"""A plan's limit in an answer's headers, in the two forms that the limits on signing in have."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any


def quota_headers(told: Mapping[str, Any]) -> Sequence[tuple[str, str]]:  # Any: the values of a problem's details
    """The headers for {metric, limit, used, resetsAt}; none where the limit does not reset (storage, seats)."""
    if told.get("resetsAt") is None:
        return ()
    limit, remaining = int(told["limit"]), max(0, int(told["limit"] - told["used"]))
    left = datetime.fromisoformat(str(told["resetsAt"])) - datetime.now(UTC)
    reset = max(0, math.ceil(left.total_seconds()))
    return (
        ("RateLimit-Limit", str(limit)),
        ("RateLimit-Remaining", str(remaining)),
        ("RateLimit-Reset", str(reset)),
        ("RateLimit", f'"{told["metric"]}";r={remaining};t={reset}'),
    )
