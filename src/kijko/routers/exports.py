"""A project's export over HTTP."""

import re
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from kijko.models.exports import ProjectExport
from kijko.routers.deps import Outside
from kijko.routers.headers import described
from kijko.routers.ids import ProjectId
from kijko.routers.numbers import WHOLE
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import problems
from kijko.services import exports

router = APIRouter(prefix="/projects", tags=["projects"])

_SUFFIXES: Final[dict[exports.Format, str]] = {"json": "json", "markdown": "md"}
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_FILE: Final = {
    "model": ProjectExport,
    "content": {
        "text/markdown": {
            "schema": {"type": "string"},
            "example": "# Payments\n\n3 files, 1240 tokens (cl100k_base).\n\n## Files\n",
        },
    },
    "description": "The file.",
    "headers": described("Content-Disposition"),
}


@router.get(
    "/{projectId}/export",
    response_class=StreamingResponse,
    summary="Export a project",
    responses=problems("PROJECT_NOT_FOUND") | {200: _FILE},
)
async def export(
    *,
    project_id: ProjectId,
    outside: Outside,
    principal: CurrentPrincipal,
    form: Annotated[exports.Format, Query(alias="format", description="What it is written as.")] = "json",
    max_tokens: Annotated[
        int | None, Query(alias="maxTokens", ge=500, le=100_000_000, description="How many tokens it may have."), WHOLE
    ] = None,
) -> StreamingResponse:
    """The project's context as one file: its folders with their tokens, then its files, by path, without their secrets.

    With `maxTokens`, what tells the most comes first (READMEs, entry points, then the other files in turns over all
    folders), large files by the heads of their definitions, and what was left out is named. JSON's quoting is extra.
    A project that was not ingested yet gives a file without files.
    """
    found = await exports.open_export(outside.database, outside.exports, principal, project_id, form, max_tokens)
    return StreamingResponse(
        found.parts,
        media_type=found.content_type,
        headers={"Content-Disposition": _disposition(found.name, _SUFFIXES[form]), "Cache-Control": "no-store"},
    )


def _disposition(name: str, suffix: str) -> str:
    """An attachment of that name: plain for old clients, whole for the others."""
    plain = _UNSAFE.sub("-", name).strip("-.") or "project"
    return f"attachment; filename=\"{plain}.{suffix}\"; filename*=UTF-8''{quote(f'{name}.{suffix}', safe='')}"
