"""Organizations' own keys at model providers over HTTP: for their owners and admins."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from kijko.models.base import Success
from kijko.models.enums import ModelProvider
from kijko.models.model_keys import ModelKey, ModelKeyRequest
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentReader, CurrentTx, Outside
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import problems
from kijko.services import model_keys
from kijko.services.model_keys.errors import UnknownModelProvider

router = APIRouter(prefix="/model-keys", tags=["keys"])

Provider = Annotated[str, Path(description="The provider.", json_schema_extra={"enum": [*ModelProvider]})]


@router.get(
    "",
    response_model=list[ModelKey],
    name="list_model_keys",
    summary="List model keys",
    responses=problems("ORGANIZATION_NOT_FOUND"),
)
async def list_all(reader: CurrentReader) -> Response:
    """The providers at which the organization has a key of its own. For owners and admins; no key is ever shown."""
    return JsonBytes(await model_keys.list_all(reader))


@router.put(
    "/{provider}",
    response_model=ModelKey,
    name="set_model_key",
    summary="Set a model key",
    responses=problems(UnknownModelProvider, "ORGANIZATION_NOT_FOUND"),
)
async def put(
    provider: Provider, body: ModelKeyRequest, outside: Outside, principal: CurrentPrincipal, tx: CurrentTx
) -> Response:
    """Keeps the organization's key at a provider, encrypted, in the place of an earlier one. The next run uses it.

    Its form is checked, and not whether it opens anything. For owners and admins.
    """
    return JsonBytes(await model_keys.put(tx, outside.masters, principal, provider, body.key))


@router.delete(
    "/{provider}",
    response_model=Success,
    name="delete_model_key",
    summary="Delete a model key",
    responses=problems(UnknownModelProvider, "MODEL_KEY_NOT_FOUND"),
)
async def delete(provider: Provider, principal: CurrentPrincipal, tx: CurrentTx) -> Success:
    """Forgets the organization's key at a provider; the next run uses the server's. For owners and admins."""
    await model_keys.delete(tx, principal, provider)
    return Success()
