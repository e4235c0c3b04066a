"""API keys over HTTP: for signed-in people alone."""

from fastapi import APIRouter, Request, Response, status

from kijko.models.api_keys import ApiKey, ApiKeyWithSecret, CreateApiKeyRequest, RotateApiKeyRequest
from kijko.models.base import Success
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentReader, CurrentTx
from kijko.routers.ids import ApiKeyId
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import problems
from kijko.services import api_keys

router = APIRouter(prefix="/api-keys", tags=["keys"])

_KEY = "/{keyId}"


@router.get("", response_model=list[ApiKey], name="list_api_keys", summary="List API keys", responses=problems())
async def list_own(reader: CurrentReader) -> Response:
    """Your API keys in the active organization, newest first; for its owners and admins, everybody's."""
    return JsonBytes(await api_keys.list_own(reader))


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=ApiKeyWithSecret,
    name="create_api_key",
    summary="Make an API key",
    responses=problems("ORGANIZATION_NOT_FOUND", "API_KEY_LIMIT"),
)
async def create(body: CreateApiKeyRequest, principal: CurrentPrincipal, tx: CurrentTx, request: Request) -> Response:
    """Makes a key that acts as you in the active organization, within its scopes. `key` is shown this once.

    Send it as `Authorization: Bearer kjk_…`. Without `scopes` it may read, and run skills.
    """
    most = request.app.state.settings.keys.per_organization
    return _shown_once(await api_keys.create(tx, principal, body, most=most))


@router.post(
    _KEY + "/rotate",
    status_code=status.HTTP_201_CREATED,
    response_model=ApiKeyWithSecret,
    name="rotate_api_key",
    summary="Rotate an API key",
    responses=problems("API_KEY_NOT_FOUND", "API_KEY_OVER", "API_KEY_LIMIT"),
)
async def rotate(
    key_id: ApiKeyId, tx: CurrentTx, request: Request, body: RotateApiKeyRequest | None = None
) -> Response:
    """Makes a key with the same name, scopes and end in the place of one of yours, which works until the grace ends.

    `key` is shown this once. Without `graceSeconds` the old one ends at once.
    """
    grace_s, most = 0 if body is None else body.grace_seconds, request.app.state.settings.keys.per_organization
    return _shown_once(await api_keys.rotate(tx, key_id, grace_s=grace_s, most=most))


@router.delete(
    _KEY,
    response_model=Success,
    name="revoke_api_key",
    summary="Revoke an API key",
    responses=problems("API_KEY_NOT_FOUND"),
)
async def revoke(key_id: ApiKeyId, tx: CurrentTx) -> Success:
    """Ends a key at once, everywhere, with the sockets that it opened. Owners and admins may revoke anybody's."""
    await api_keys.revoke(tx, key_id)
    return Success()


def _shown_once(made: bytes) -> Response:
    return JsonBytes(made, status_code=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})
