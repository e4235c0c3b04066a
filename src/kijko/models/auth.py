"""Sign-in on the wire. Tokens and profiles are snake_case, as OAuth 2.0 names them and the login page reads them."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from kijko.models.base import EmailAddress, Request, Text, Timestamp, Wire
from kijko.models.enums import OrganizationRole, PlanTier

EMAIL_EXAMPLE = "you@example.nl"
TOKEN_EXAMPLE = "eyJhbGciOiJSUzI1NiIsImtpZCI6Ik1xWGFf…"  # noqa: S105  # an example for the documentation

Provider = Literal["google", "github"]

# Bounds that keep absurd input away from the password hash; what a password must be is the sign-in server's policy.
LoginPassword = Annotated[Text, Field(max_length=1024, examples=["correct horse battery staple"])]
Token = Annotated[Text, Field(min_length=1, max_length=8192)]
Email = Annotated[Text, Field(min_length=1, max_length=1024, examples=[EMAIL_EXAMPLE])]
NewEmail = Annotated[Email, Field(json_schema_extra={"format": "email"})]
"""One that must be an address: `services.identity.rules` says when it is none."""
Name = Annotated[Text, Field(max_length=1024, json_schema_extra={"minLength": 1, "maxLength": 255})]
"""What it must be besides its length is said by `services.identity.rules`, without the blanks around it."""


class SnakeRequest(Request):
    """A shape that comes in with snake_case names."""

    model_config = ConfigDict(alias_generator=None)


class SignupRequest(SnakeRequest):
    """A new person."""

    email: NewEmail
    password: Annotated[LoginPassword, Field(description="At least 8 and at most 128 characters, not the e-mail.")]
    first_name: Annotated[Name, Field(examples=["First"])]
    last_name: Annotated[Name, Field(examples=["Last"])]
    invitation_token: Annotated[
        Text | None,
        Field(
            max_length=200, description="The last part of an invitation's link: joins on the way, the address proven."
        ),
    ] = None


class LoginRequest(SnakeRequest):
    """An e-mail address, whatever its case, and the password."""

    email: Email
    password: LoginPassword


class RefreshRequest(SnakeRequest):
    """The refresh token of the last answer."""

    refresh_token: Annotated[Token, Field(examples=[TOKEN_EXAMPLE])]


class LogoutRequest(SnakeRequest):
    """Nothing is needed: the session of the access token ends. A refresh token is taken and changes nothing."""

    refresh_token: Annotated[Text | None, Field(examples=[TOKEN_EXAMPLE])] = None


class ForgotPasswordRequest(SnakeRequest):
    """Whose password was forgotten."""

    email: NewEmail


class ChangePasswordRequest(SnakeRequest):
    """The password as it is and as it shall be."""

    current_password: LoginPassword
    new_password: LoginPassword


class CodeRequest(SnakeRequest):
    """The one-time code from the fragment of the web app's address."""

    code: Annotated[Token, Field(examples=["2JmUqk3yQ8c0V6hT1xW9nA4sEoR7bLdP5gZfKiYuMtI"])]


class CallbackQuery(BaseModel):
    """What the sign-in server sends a browser back with: `code`, or `error`."""

    state: Annotated[Text, Field(max_length=200, description="As it was sent.")] = ""
    code: Annotated[Text, Field(max_length=2000, description="The authorization code.")] = ""
    iss: Annotated[Text | None, Field(max_length=500, description="Who gave the code.")] = None
    error: Annotated[Text, Field(max_length=200, description="Why there is no code.")] = ""


class UpdateProfileRequest(SnakeRequest):
    """What is present is changed."""

    first_name: Annotated[Name | None, Field(examples=["First"])] = None
    last_name: Annotated[Name | None, Field(examples=["Last"])] = None


class TokenResponse(BaseModel):
    """A session's tokens. Lifetimes are seconds."""

    model_config = ConfigDict(from_attributes=True)

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int
    refresh_expires_in: int


class UserProfile(BaseModel):
    """The person who asks, in their active organization."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: EmailAddress
    first_name: str
    last_name: str
    org_id: UUID
    roles: list[OrganizationRole]
    plan: PlanTier


class Session(Wire):
    """One of the caller's sessions. `userAgent` is null when it was begun without naming one."""

    id: str
    ip_address: str
    user_agent: str | None = None
    started_at: Timestamp
    last_access_at: Timestamp
    current: Annotated[bool, Field(description="Whether it is the one that asks.")]


class Identity(Wire):
    """An account elsewhere that signs in to this one."""

    provider: Provider
    username: Annotated[str, Field(description="The name or address of that account.", examples=["you"])]
