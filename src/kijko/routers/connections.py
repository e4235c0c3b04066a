"""Accounts at git providers over HTTP, for private repositories."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from kijko.models.base import Success
from kijko.models.connections import BatchRepositories, ConnectCallbackRequest, ConnectResponse, OAuthConnection
from kijko.models.enums import GitProvider
from kijko.routers.deps import CurrentReader, CurrentTx
from kijko.routers.idempotency import CurrentClaim
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import problems
from kijko.routers.projects_desk import ProjectsDesk
from kijko.services.projects import connections
from kijko.services.projects.errors import UnknownGitProvider

router = APIRouter(tags=["git accounts"])

Provider = Annotated[str, Path(description="The provider.", json_schema_extra={"enum": [*GitProvider]})]


@router.get(
    "/oauth/connections",
    response_model=list[OAuthConnection],
    name="list",
    summary="List connected git accounts",
    responses=problems(),
)
async def list_own(reader: CurrentReader) -> list[OAuthConnection]:
    """Every git provider, and the account there that you have connected. It is yours in all your organizations."""
    return await connections.list_own(reader)


@router.post(
    "/oauth/connect/{provider}",
    response_model=ConnectResponse,
    name="begin",
    summary="Begin to connect a git account",
    responses=problems(UnknownGitProvider, "PROVIDER_NOT_CONFIGURED"),
)
async def connect(provider: Provider, desk: ProjectsDesk, tx: CurrentTx) -> ConnectResponse:
    """Where to send the browser. It comes back to the web app, which hands code and state to the callback."""
    return ConnectResponse(auth_url=await connections.begin(tx, desk, connections.provider_of(provider)))


@router.post(
    "/oauth/callback",
    response_model=OAuthConnection,
    name="finish",
    summary="Finish connecting a git account",
    responses=problems("PROVIDER_NOT_CONFIGURED", "INVALID_AUTHORIZATION"),
)
async def callback(
    body: ConnectCallbackRequest, desk: ProjectsDesk, principal: CurrentPrincipal, claim: CurrentClaim
) -> OAuthConnection:
    """Connects the account. A state works once, for ten minutes, for the person who began."""
    return await connections.finish(desk, principal, body.provider, body.code, body.state)


@router.delete(
    "/oauth/disconnect/{provider}",
    response_model=Success,
    summary="Disconnect a git account",
    responses=problems(UnknownGitProvider),
)
async def disconnect(provider: Provider, desk: ProjectsDesk, principal: CurrentPrincipal) -> Success:
    """Forgets your account at a provider and has its token ended. Where there is none, that is fine too."""
    await connections.disconnect(desk, principal, connections.provider_of(provider))
    return Success()


@router.get(
    "/repositories/batch",
    response_model=BatchRepositories,
    name="list_repositories",
    summary="List a git account's repositories",
    responses=problems("NOT_AUTHENTICATED", "PROVIDER_NOT_CONFIGURED"),
)
async def batch(
    provider: Annotated[GitProvider, Query()], desk: ProjectsDesk, principal: CurrentPrincipal
) -> BatchRepositories:
    """What your connected account may read, last changed first, at most 1,000."""
    return await connections.repositories(desk, principal, provider)
