"""The floor: bare ASGI, no framework, no token, no middleware; Kijko's own trip with its context and its query."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from kijko.core.db import Database
from kijko.core.tenancy import OrgReader, Principal, Tenants
from kijko.services.skills import queries

_reader: list[OrgReader] = []


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """GET /skills/{id} and GET /skills."""
    if scope["type"] == "lifespan":
        await receive()
        await _connect()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    _, _, skill_id = scope["path"].strip("/").partition("/")
    if skill_id:
        body = await queries.get(_reader[0], UUID(skill_id))
    else:
        body = await queries.list_page(_reader[0], category=None, is_active=None, search=None, page=1, page_size=20)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body or b"")).encode())]
    await send({"type": "http.response.start", "status": 200 if body else 404, "headers": headers})
    await send({"type": "http.response.body", "body": body or b""})


async def _connect() -> None:
    database = await Database.connect(
        os.environ["BENCH_DATABASE_URL"],
        pool_size=8,
        statement_timeout_ms=10_000,
        connect_timeout_s=5,
        acquire_timeout_s=5,
        prepared=True,
        application_name="bench-floor",
    )
    now = datetime.now(UTC)
    principal = Principal(
        user_id=UUID(os.environ["BENCH_USER"]),
        session_id="bench",
        issued_at=now,
        organization_id=UUID(os.environ["BENCH_ORGANIZATION"]),
        chosen=False,
        expires_at=now + timedelta(hours=1),
    )
    _reader.append(Tenants(database).reader(principal))
