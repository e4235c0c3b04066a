"""The usual stack, as a careful team writes it: FastAPI, an asyncpg pool, a verified token, a transaction with the
tenant's settings, a query, a response model. The baseline that Kijko's requests are compared with.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import jwt
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

_COLUMNS = (
    "id, user_id, name, description, category, prompt_template, model, parameters, input_schema, output_format, "
    "context, version, is_active, execution_count, last_executed_at, created_at, updated_at"
)


class Skill(BaseModel):
    """The same fields that Kijko answers with."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    id: UUID
    user_id: UUID
    name: str
    description: str | None
    category: str
    prompt_template: str
    model: str
    parameters: dict[str, Any]
    input_schema: list[dict[str, Any]] | None
    output_format: str
    context: dict[str, Any] | None
    version: int
    is_active: bool
    is_public: bool = False
    execution_count: int
    star_count: int = 0
    rating: float | None = None
    rating_count: int = 0
    last_executed_at: datetime | None
    created_at: datetime
    updated_at: datetime


class SkillPage(BaseModel):
    """A page of them."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    skills: list[Skill]
    total: int
    page: int
    page_size: int
    has_more: bool


async def _prepare(connection: asyncpg.Connection) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.key = jwt.PyJWKSet.from_dict(json.loads(os.environ["BENCH_JWKS"])).keys[0].key
    async with asyncpg.create_pool(os.environ["BENCH_DATABASE_URL"], min_size=8, max_size=8, init=_prepare) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_lifespan)
_bearer = HTTPBearer()


async def claims(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials, Depends(_bearer)]
) -> dict[str, Any]:
    """The verified token."""
    try:
        return jwt.decode(
            credentials.credentials,
            request.app.state.key,
            algorithms=["RS256"],
            audience="kijko-api",
            issuer=os.environ["BENCH_ISSUER"],
        )
    except jwt.InvalidTokenError as error:
        raise HTTPException(401) from error


async def connection(
    request: Request, verified: Annotated[dict[str, Any], Depends(claims)]
) -> AsyncIterator[asyncpg.Connection]:
    """A connection inside a transaction that knows the tenant; an ended session is refused."""
    async with request.app.state.pool.acquire() as found, found.transaction():
        entered = "select kijko.enter($1, $2, to_timestamp($3), $4, false)"
        await found.execute(entered, verified["sub"], verified["sid"], verified["iat"], verified["org_id"])
        await found.execute("select set_config('request.jwt.claims', $1, true)", json.dumps(verified))
        await found.execute("set local role authenticated")
        yield found


Connected = Annotated[asyncpg.Connection, Depends(connection)]


@app.get("/skills/{skill_id}", response_model=Skill)
async def get(skill_id: UUID, found: Connected) -> dict[str, Any]:
    """One skill."""
    row = await found.fetchrow(f"select {_COLUMNS} from skills where id = $1", skill_id)
    if row is None:
        raise HTTPException(404)
    return dict(row)


@app.get("/skills", response_model=SkillPage)
async def list_page(found: Connected, page: int = 1, page_size: int = 20) -> dict[str, Any]:
    """A page of skills."""
    total = await found.fetchval("select count(*) from skills")
    rows = await found.fetch(
        f"select {_COLUMNS} from skills order by updated_at desc, id limit $1 offset $2",
        page_size,
        (page - 1) * page_size,
    )
    return {
        "skills": [dict(row) for row in rows],
        "total": total,
        "page": page,
        "page_size": page_size,
        "has_more": total > page * page_size,
    }
