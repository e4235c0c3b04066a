"""Ids, times and pages that the examples have in common."""

from typing import Any, Final

Json = dict[str, Any]  # JSON

YOU: Final = "0b0f6f9e-3c9a-4c55-9f0e-1c2f4f5a6b7c"
COLLEAGUE: Final = "5d2c8c3e-7e0b-4f0a-8a51-9b3f6f1d2e40"
ORGANIZATION: Final = "7a1d9a52-6f0e-4a3b-8f7d-2b1c0d9e8f7a"
PROJECT: Final = "7f0c3a52-5a0e-4d0a-9d4b-3a0f6f0c2b11"
REPOSITORY: Final = "c1a7e0d4-2b5f-4e6a-9c80-4d3f2a1b0c9d"
UPLOAD: Final = "2e6f8a10-93b4-4c7d-8e21-6a5b4c3d2e1f"
INGESTION: Final = "93d4e5f6-0a1b-4c2d-8e3f-4a5b6c7d8e9f"
SKILL: Final = "4b8e2f60-1c3d-4a5e-9f70-8b6c5d4e3f2a"
EXECUTION: Final = "e0f1a2b3-4c5d-4e6f-8a7b-9c0d1e2f3a4b"
YOUR_EMAIL: Final = "you@example.nl"
COLLEAGUES_EMAIL: Final = "colleague@example.nl"
COMMIT: Final = "3bf7f555610dfc720166d67ec1b03a771d3782fd"
EARLIER: Final = "2026-01-30T14:05:00.000000Z"
THEN: Final = "2026-01-31T09:30:00.000000Z"
LATER: Final = "2026-01-31T09:30:04.000000Z"

DONE: Final[Json] = {"success": True}


def page(**rows: list[Json]) -> Json:
    """The first page of such rows, and there is no other."""
    (found,) = rows.values()
    return {**rows, "total": len(found), "page": 1, "pageSize": 20, "hasMore": False}
