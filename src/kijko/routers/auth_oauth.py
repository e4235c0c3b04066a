"""Signing in with Google or GitHub over HTTP. The browser itself comes here, so that mistakes end in the web app."""

import logging
from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request, Response, status

from kijko.core.db.errors import DatabaseError
from kijko.core.errors import AppError, Unavailable
from kijko.models.auth import CallbackQuery, CodeRequest, TokenResponse
from kijko.routers.auth_desk import CurrentDesk, CurrentDevice, OutsideProvider
from kijko.routers.problems import problems
from kijko.services import identity
from kijko.services.identity.errors import UnknownProvider

log = logging.getLogger(__name__)

router = APIRouter(prefix="/auth/oauth", tags=["auth"])

_TO_WEB: Final = "To the web app: `/auth/callback#code=…`, or `#error=…&error_description=…`."
_PATH: Final = "/api"  # the cookie is for /api/auth/… and /api/v1/auth/…


@router.get(
    "/callback",
    status_code=status.HTTP_302_FOUND,
    response_class=Response,
    name="oauth_callback",
    summary="Come back from Google or GitHub",
    responses={302: {"description": _TO_WEB}},
)
async def callback(
    request: Request,
    desk: CurrentDesk,
    device: CurrentDevice,
    said: Annotated[CallbackQuery, Query()],
) -> Response:
    """Ends a sign-in that this browser began, and sends it to the web app with a one-time code in the fragment."""
    name = identity.cookie_name(said.state)
    answer = _to_web(desk, **await _outcome(desk, device, said, request.cookies.get(name)))
    answer.delete_cookie(name, path=_PATH)
    return answer


async def _outcome(
    desk: identity.Desk, device: identity.Device, said: CallbackQuery, cookie: str | None
) -> dict[str, str]:
    if said.error or not said.code:
        return {"error": said.error or "invalid_request", "error_description": _SAID.get(said.error, _FAILED)}
    try:
        return {"code": await identity.finish(desk, said, cookie, device)}
    except AppError as problem:
        kind = "temporarily_unavailable" if isinstance(problem, Unavailable) else problem.code.lower()
        return {"error": kind, "error_description": problem.detail}
    except DatabaseError as failure:
        log.warning("a sign-in could not be finished: %s", failure)
        return {"error": "temporarily_unavailable", "error_description": _LATER}


_FAILED: Final = "The sign-in was not finished. Begin it again."
_LATER: Final = "Signing in is not possible at the moment. Please try again in a little while."
_SAID: Final = {
    "access_denied": "The sign-in was cancelled. Begin it again, or use another way.",
    "temporarily_unavailable": _LATER,
}


def _to_web(desk: identity.Desk, **said: str) -> Response:
    # In the fragment, which browsers send to no server and put into no Referer.
    target = f"{desk.settings.web_url}/auth/callback#{urlencode(said, quote_via=quote)}"
    return Response(status_code=status.HTTP_302_FOUND, headers={"location": target})


@router.post("/token", name="exchange_code", summary="Exchange the one-time code", responses=problems("INVALID_CODE"))
async def exchange(body: CodeRequest, desk: CurrentDesk) -> TokenResponse:
    """Gives the tokens of a finished sign-in for the code of the fragment: once, and within a minute."""
    return TokenResponse.model_validate(await identity.redeem(desk, body.code))


@router.get(
    "/{provider}",
    status_code=status.HTTP_302_FOUND,
    response_class=Response,
    name="begin_oauth",
    summary="Sign in with Google or GitHub",
    responses=problems(UnknownProvider) | {302: {"description": "To the provider, by way of the sign-in server."}},
)
async def begin(provider: OutsideProvider, desk: CurrentDesk) -> Response:
    """Sends the browser to `google` or `github`. It has 10 minutes to come back to the callback.

    One that is not set up in this installation is said in the web app: `/auth/callback#error=unknown_provider&…`.
    """
    try:
        departure = identity.begin(desk, provider)
    except identity.ProviderNotSetUp as problem:
        return _to_web(desk, error=problem.code.lower(), error_description=problem.detail)
    answer = Response(status_code=status.HTTP_302_FOUND, headers={"location": departure.url})
    answer.set_cookie(
        departure.cookie_name,
        departure.cookie,
        max_age=identity.PENDING_S,
        path=_PATH,
        secure=desk.settings.public_url.startswith("https://"),
        httponly=True,
        samesite="lax",
    )
    return answer
