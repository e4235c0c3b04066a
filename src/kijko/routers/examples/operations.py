"""Examples of what is answered about the server itself, and about deletions."""

from typing import Final

from kijko.routers.examples.made_up import ORGANIZATION, THEN, Json

_PARTS: Final = ("database", "redis", "storage", "stripe", "keycloak", "workers", "mail")
_HEALTH: Final[Json] = {
    "status": "healthy",
    "version": "0.1.0",
    "checks": {part: {"status": "healthy", "latencyMs": 1.5} for part in _PARTS},
}
_NO_DATABASE: Final[Json] = {"status": "unhealthy", "latencyMs": 2000, "error": "did not answer within 2 s"}

EXAMPLES: Final = {
    "operations_welcome": {
        "name": "Kijko",
        "version": "0.1.0",
        "links": {"docs": "/docs", "openapi": "/openapi.json", "health": "/health"},
    },
    "operations_health": _HEALTH,
    "operations_health 503": {
        **_HEALTH,
        "status": "unhealthy",
        "checks": {**_HEALTH["checks"], "database": _NO_DATABASE},
    },
    "operations_live": {"status": "healthy"},
    "operations_ready": {"status": "healthy"},
    "operations_ready 503": {"status": "unhealthy"},
    "privacy_get_deletion": {
        "status": "done",
        "steps": [
            {"name": "access", "status": "done"},
            {"name": "rows", "status": "done"},
            {"name": "files", "status": "done"},
        ],
        "receipt": {
            "deletionId": "d9c8b7a6-5f4e-4d3c-8b2a-190817263544",
            "kind": "organization",
            "id": ORGANIZATION,
            "rows": 120,
            "requestedAt": THEN,
            "completedAt": "2026-01-31T09:31:00.000000Z",
        },
    },
}
"""operation → its answer, with its status where there are several."""
