"""How the server is."""

from enum import StrEnum

from pydantic import Field

from kijko.models.base import ABSENT_MAY_BE, Wire


class Condition(StrEnum):
    """`degraded`: something is gone that the rest can do without for a while. `unhealthy`: the database is gone."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class Check(Wire):
    """One dependency."""

    model_config = ABSENT_MAY_BE

    status: Condition
    latency_ms: float = Field(description="How long it took to answer, or to be given up on, in milliseconds.")
    error: str | None = None


class Health(Wire):
    """All of them: database, redis, stripe, keycloak and workers."""

    status: Condition
    version: str
    checks: dict[str, Check]


class Ready(Wire):
    """Whether this process lives, or can serve."""

    status: Condition
