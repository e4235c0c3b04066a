"""The server's own address: what it is, and where to go on."""

from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, Request

from kijko.models.root import Links, Welcome
from kijko.settings import Settings

router = APIRouter(tags=["operations"])

_VERSION: Final = version("kijko")


@router.get("/", response_model=Welcome, summary="What is here")
async def welcome(request: Request) -> Welcome:
    """The API's name and version, and the addresses of its documentation and its health."""
    settings: Settings = request.app.state.settings
    links = Links(health="/health")
    if settings.with_docs:
        links = links.model_copy(update={"docs": "/docs", "openapi": "/openapi.json"})
    return Welcome(name="Kijko", version=_VERSION, links=links)
