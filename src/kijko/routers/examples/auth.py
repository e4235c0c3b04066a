"""Examples of what sign-in answers."""

from typing import Final

from kijko.models.auth import TOKEN_EXAMPLE
from kijko.routers.examples.made_up import DONE, EARLIER, ORGANIZATION, THEN, YOU, YOUR_EMAIL, Json

_TOKENS: Final[Json] = {
    "access_token": TOKEN_EXAMPLE,
    "refresh_token": TOKEN_EXAMPLE,
    "token_type": "Bearer",
    "expires_in": 300,
    "refresh_expires_in": 604_800,
}
_ME: Final[Json] = {
    "id": YOU,
    "email": YOUR_EMAIL,
    "first_name": "First",
    "last_name": "Last",
    "org_id": ORGANIZATION,
    "roles": ["owner"],
    "plan": "free",
}
_SESSION: Final[Json] = {
    "id": "f3b5c7d9-1e2a-4b3c-8d4e-5f6a7b8c9d0e",
    "ipAddress": "192.0.2.10",
    "userAgent": "Mozilla/5.0",
    "startedAt": EARLIER,
    "lastAccessAt": THEN,
    "current": True,
}

EXAMPLES: Final = {
    "auth_signup": _TOKENS,
    "auth_login": _TOKENS,
    "auth_refresh": _TOKENS,
    "auth_exchange_code": _TOKENS,
    "auth_change_password": _TOKENS,
    "auth_me": _ME,
    "auth_update_me": _ME,
    "auth_forgot_password": DONE,
    "auth_resend_verification": DONE,
    "auth_list_sessions": [_SESSION],
    "auth_list_identities": [{"provider": "github", "username": "you"}],
}
"""operation → its answer."""
