"""An upload as a client sends it, and APIs with smaller limits."""

import io
import zipfile
from typing import Any

import httpx

from tests.conftest import Person
from tests.spine.conftest import nobody_listens, serve

__all__ = ["nobody_listens", "serve"]


async def send(one: Person, project: str, *files: tuple[str, bytes]) -> httpx.Response:
    return await one.http.post(
        "/files/upload", data={"projectId": project}, files=[("files", (name, content)) for name, content in files]
    )


async def kept(one: Person, project: str, *files: tuple[str, bytes]) -> list[dict[str, Any]]:
    """Upload files, none of which is refused."""
    answer = await send(one, project, *files)
    assert answer.status_code == 200, answer.text
    assert answer.json()["errors"] == []
    found: list[dict[str, Any]] = answer.json()["uploaded"]
    return found


async def why(one: Person, project: str, *files: tuple[str, bytes]) -> list[str]:
    """The sentences about files that are all refused."""
    answer = await send(one, project, *files)
    assert answer.status_code == 200, answer.text
    assert answer.json()["uploaded"] == []
    return [each["error"] for each in answer.json()["errors"]]


def zipped(*files: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return made.getvalue()
