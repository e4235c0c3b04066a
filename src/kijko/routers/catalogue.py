"""The models there are, over HTTP."""

from fastapi import APIRouter, Request

from kijko.models.catalogue import ModelInfo
from kijko.routers.deps import CurrentReader
from kijko.routers.problems import problems
from kijko.services import catalogue

router = APIRouter(prefix="/models", tags=["skills"])


@router.get("", response_model=list[ModelInfo], summary="List the models", responses=problems())
async def list_models(reader: CurrentReader, request: Request) -> list[ModelInfo]:
    """The models that a skill may name, with their prices, and whether there is a key for each.

    A dated name of one of them may be named too. Longer prompts than a provider's first tier may cost more.
    """
    return await catalogue.models(reader, request.app.state.settings.models)
