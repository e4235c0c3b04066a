"""What the sign-in server's refusals mean to a person. Its own words are for its own pages."""

from collections.abc import Mapping
from typing import Final

from kijko.clients.keycloak import Refused
from kijko.core.errors import AppError, Invalid
from kijko.services.identity.errors import EmailExists, WeakPassword

_PASSWORD: Final[Mapping[str, str]] = {
    "invalidPasswordMinLengthMessage": "This password is too short. Choose one of at least 8 characters.",
    "invalidPasswordMaxLengthMessage": "This password is too long. Choose one of at most 128 characters.",
    "invalidPasswordNotUsernameMessage": "The password may not be your e-mail address. Choose another one.",
    "invalidPasswordNotEmailMessage": "The password may not be your e-mail address. Choose another one.",
}
_FIELDS: Final[Mapping[str, tuple[str, str]]] = {
    "email": ("email", "This e-mail address is not accepted. Check it, or use another one."),
    "username": ("email", "This e-mail address is not accepted. Check it, or use another one."),
    "firstName": ("first_name", "The first name holds a character that is not accepted. Leave it out."),
    "lastName": ("last_name", "The last name holds a character that is not accepted. Leave it out."),
}


def of_account(refused: Refused, *, password_field: str = "password") -> AppError | None:  # noqa: S107  # a field's name
    """Why an account, its password or a name was not accepted; None for a refusal that is our own fault."""
    if refused.status == 409:
        return EmailExists(field="email")
    if refused.status != 400:
        return None
    if refused.error.startswith("invalidPassword"):
        return WeakPassword(_PASSWORD.get(refused.error), field=password_field)
    if refused.field is not None and refused.field in _FIELDS:
        field, text = _FIELDS[refused.field]
        return Invalid(text, field=field)
    return None


def is_bad_grant(refused: Refused) -> bool:
    """Whether it is what was shown (a password, a token, a code) that is not good. Too long counts as not there."""
    return refused.status == 400 and refused.error in {"invalid_grant", "invalid_request"}
