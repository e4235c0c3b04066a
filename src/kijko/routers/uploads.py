"""Uploaded files over HTTP."""

from typing import Any, Final

from fastapi import APIRouter, Request

from kijko.models.base import Success
from kijko.models.uploads import UploadResult
from kijko.routers.deps import CurrentReader, Outside
from kijko.routers.ids import FileId, ProjectId
from kijko.routers.multipart import parts
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import problems
from kijko.services import uploads
from kijko.settings import Settings

router = APIRouter(tags=["files"])

_FORM: Final[dict[str, Any]] = {  # Any: OpenAPI's own JSON
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["projectId", "files"],
                    "properties": {
                        "projectId": {"type": "string", "format": "uuid"},
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "contentMediaType": "application/octet-stream"},
                        },
                    },
                },
                "example": {"projectId": "7f0c3a52-5a0e-4d0a-9d4b-3a0f6f0c2b11", "files": ["# Notes\n"]},
            }
        },
    }
}


@router.post(
    "/files/upload",
    response_model=UploadResult,
    summary="Upload files",
    responses=problems("PROJECT_NOT_FOUND", "QUOTA_EXCEEDED"),
    openapi_extra=_FORM,
)
async def upload(
    request: Request,
    principal: CurrentPrincipal,
    reader: CurrentReader,
    outside: Outside,
) -> UploadResult:
    """Adds files to a project's sources; put `projectId` before them. A file of a name that is there replaces it.

    A zip becomes the files in it. What is wrong with one file is told in `errors`, and the others are kept; an upload
    that breaks off leaves nothing.
    """
    await outside.database.admit(principal)
    settings: Settings = request.app.state.settings
    with outside.uploads.take(principal.user_id):
        coming = parts(request, settings.storage.idle_s)
        return await uploads.receive(reader, outside.storage, settings.storage, coming)


@router.delete(
    "/projects/{projectId}/files/{fileId}",
    response_model=Success,
    summary="Delete an uploaded file",
    responses=problems("PROJECT_NOT_FOUND", "FILE_NOT_FOUND"),
)
async def delete(project_id: ProjectId, file_id: FileId, reader: CurrentReader) -> Success:
    """Deletes an uploaded file, with what was indexed of it; its storage is free at once."""
    await uploads.delete(reader, project_id, file_id)
    return Success()
