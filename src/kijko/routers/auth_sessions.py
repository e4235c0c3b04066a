"""The caller's sessions and outside accounts over HTTP, and Keycloak's word that a session has ended."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response, status

from kijko.models.auth import Identity, Session
from kijko.routers.auth_desk import CurrentDesk, OutsideProvider
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import problems
from kijko.services import identity

router = APIRouter(prefix="/auth", tags=["auth"])

_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["logout_token"],
                    "properties": {"logout_token": {"type": "string", "description": "A signed JWT."}},
                },
                "example": {"logout_token": "eyJhbGciOiJSUzI1NiIsImtpZCI6Ik1xWGFf…"},
            }
        },
    }
}


@router.get("/sessions", summary="List my sessions", responses=problems("UNAVAILABLE"))
async def list_sessions(desk: CurrentDesk, principal: CurrentPrincipal) -> list[Session]:
    """Where the caller is signed in, last used first."""
    return await identity.list_sessions(desk, principal)


@router.delete(
    "/sessions",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="End my other sessions",
    responses=problems("UNAVAILABLE"),
)
async def end_other_sessions(desk: CurrentDesk, principal: CurrentPrincipal) -> None:
    """Ends every session but the one that asks; their access tokens are refused at once."""
    await identity.end_others(desk, principal)


@router.delete(
    "/sessions/{session_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="End one of my sessions",
    responses=problems("SESSION_NOT_FOUND", "UNAVAILABLE"),
)
async def end_session(session_id: str, desk: CurrentDesk, principal: CurrentPrincipal) -> None:
    """Ends that session; its access tokens are refused at once."""
    await identity.end_one(desk, principal, session_id)


@router.get("/identities", summary="List my Google and GitHub accounts", responses=problems("UNAVAILABLE"))
async def list_identities(desk: CurrentDesk, principal: CurrentPrincipal) -> list[Identity]:
    """The accounts elsewhere that sign in to the caller's. A password is none of them."""
    return await identity.identities(desk, principal)


@router.delete(
    "/identities/{provider}",
    status_code=status.HTTP_204_NO_CONTENT,
    name="disconnect_identity",
    summary="Disconnect a Google or GitHub account",
    responses=problems("IDENTITY_NOT_FOUND", "LAST_CREDENTIAL", "UNAVAILABLE"),
)
async def disconnect(provider: OutsideProvider, desk: CurrentDesk, principal: CurrentPrincipal) -> None:
    """Takes a way to sign in away, unless it is the only one."""
    await identity.disconnect(desk, principal, provider)


@router.post(
    "/backchannel-logout",
    response_class=Response,
    summary="A session ended at the sign-in server",
    responses=problems("INVALID_LOGOUT_TOKEN"),
    openapi_extra=_FORM,
)
async def backchannel_logout(request: Request, desk: CurrentDesk) -> Response:
    """For the sign-in server alone (OpenID Connect back-channel logout): the session of its token is refused."""
    form = parse_qs((await request.body()).decode("latin-1"))
    await identity.ended_elsewhere(desk, form.get("logout_token", [""])[0])
    return Response(status_code=status.HTTP_200_OK, headers={"cache-control": "no-store"})
