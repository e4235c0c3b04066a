"""Sign-in over HTTP: accounts, tokens, passwords and the profile."""

from typing import Annotated

from fastapi import APIRouter, Depends, status

from kijko.models.auth import (
    ChangePasswordRequest,
    ForgotPasswordRequest,
    LoginRequest,
    LogoutRequest,
    RefreshRequest,
    SignupRequest,
    TokenResponse,
    UpdateProfileRequest,
    UserProfile,
)
from kijko.models.base import Success
from kijko.routers.auth_desk import CurrentDesk, CurrentDevice
from kijko.routers.limits import limit_change, limit_forgot, limit_login, limit_refresh, limit_resend, limit_signup
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import problems
from kijko.services import identity
from kijko.services.invitations.errors import InvitationNotFound

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post(
    "/signup",
    status_code=status.HTTP_201_CREATED,
    summary="Sign up",
    responses=problems(
        "EMAIL_EXISTS",
        "WEAK_PASSWORD",
        InvitationNotFound,
        "INVITATION_EXPIRED",
        "WRONG_RECIPIENT",
        "SEAT_LIMIT",
        "RATE_LIMITED",
        "UNAVAILABLE",
    ),
)
async def signup(
    body: SignupRequest, desk: CurrentDesk, device: CurrentDevice, _: Annotated[None, Depends(limit_signup)]
) -> TokenResponse:
    """Makes an account with an organization of its own, and signs in. A mail to prove the address goes out.

    With the `invitation_token` of a mail to this address it joins where that leads instead; the address is proven.
    """
    return TokenResponse.model_validate(await identity.signup(desk, body, device))


@router.post("/login", summary="Log in", responses=problems("INVALID_CREDENTIALS", "RATE_LIMITED", "UNAVAILABLE"))
async def login(
    body: LoginRequest, desk: CurrentDesk, device: CurrentDevice, _: Annotated[None, Depends(limit_login)]
) -> TokenResponse:
    """Begins a session. The answer to a wrong password, an unknown address and a locked account is the same."""
    return TokenResponse.model_validate(await identity.login(desk, body.email, body.password, device))


@router.post(
    "/refresh", summary="Renew a session", responses=problems("INVALID_REFRESH_TOKEN", "RATE_LIMITED", "UNAVAILABLE")
)
async def refresh(
    body: RefreshRequest, desk: CurrentDesk, device: CurrentDevice, _: Annotated[None, Depends(limit_refresh)]
) -> TokenResponse:
    """Gives new tokens of the same session; the refresh token is used up. For 10 s it gets the same answer again."""
    return TokenResponse.model_validate(await identity.refresh(desk, body.refresh_token, device))


@router.post("/logout", status_code=status.HTTP_204_NO_CONTENT, summary="Log out", responses=problems())
async def logout(desk: CurrentDesk, principal: CurrentPrincipal, _: LogoutRequest | None = None) -> None:
    """Ends the session of the access token: it and the refresh token are refused from now on, everywhere."""
    await identity.logout(desk, principal)


@router.get("/me", summary="Who am I", responses=problems("ORGANIZATION_NOT_FOUND"))
async def me(desk: CurrentDesk, principal: CurrentPrincipal) -> UserProfile:
    """The caller in their active organization, with their role and its plan."""
    return await identity.me(desk, principal)


@router.patch("/me", summary="Change my names", responses=problems("ORGANIZATION_NOT_FOUND", "UNAVAILABLE"))
async def update_me(body: UpdateProfileRequest, desk: CurrentDesk, principal: CurrentPrincipal) -> UserProfile:
    """Changes the names that are present."""
    return await identity.update(desk, principal, body)


@router.post(
    "/password/forgot",
    status_code=status.HTTP_202_ACCEPTED,
    summary="Ask for a new password",
    responses=problems("RATE_LIMITED", "UNAVAILABLE"),
)
async def forgot_password(
    body: ForgotPasswordRequest, desk: CurrentDesk, _: Annotated[None, Depends(limit_forgot)]
) -> Success:
    """Mails a link that works once, if the address has an account. The answer does not tell whether it has."""
    await identity.forgot(desk, body.email)
    return Success()


@router.post(
    "/password/change",
    summary="Change my password",
    responses=problems("INVALID_CREDENTIALS", "WEAK_PASSWORD", "CONFLICT", "RATE_LIMITED", "UNAVAILABLE"),
)
async def change_password(
    body: ChangePasswordRequest,
    desk: CurrentDesk,
    principal: CurrentPrincipal,
    device: CurrentDevice,
    _: Annotated[None, Depends(limit_change)],
) -> TokenResponse:
    """Sets a new password and gives the tokens of a new session; every older session ends, this one too."""
    changed = await identity.change(desk, principal, body.current_password, body.new_password, device)
    return TokenResponse.model_validate(changed)


@router.post(
    "/verify-email/resend",
    status_code=status.HTTP_202_ACCEPTED,
    summary="Mail me the link that proves my address",
    responses=problems("ORGANIZATION_NOT_FOUND", "RATE_LIMITED", "UNAVAILABLE"),
)
async def resend_verification(
    desk: CurrentDesk, principal: CurrentPrincipal, _: Annotated[None, Depends(limit_resend)]
) -> Success:
    """Mails the link again, unless the address is proven already."""
    await identity.resend_verification(desk, principal)
    return Success()
