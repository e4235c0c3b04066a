"""What may be wrong with a sign-in. Where a cause would tell a stranger something, one sentence covers all causes."""

from kijko.core.errors import Conflict, Invalid, NotFound, Unauthenticated


class EmailExists(Conflict):
    """There is already an account with this e-mail address. Log in, or ask for a new password."""

    code = "EMAIL_EXISTS"


class WeakPassword(Invalid):
    """This password is too easy to guess. Choose one of 8 to 128 characters that is not your e-mail address."""

    code = "WEAK_PASSWORD"


class InvalidCredentials(Unauthenticated):
    """The e-mail address or the password is wrong. Check both, or ask for a new password."""

    code = "INVALID_CREDENTIALS"


class InvalidRefreshToken(Unauthenticated):
    """Your session has ended. Sign in again."""

    code = "INVALID_REFRESH_TOKEN"


class InvalidCode(Unauthenticated):
    """This sign-in code is not valid: it was used already, or is older than a minute. Sign in again."""

    code = "INVALID_CODE"


class InvalidState(Unauthenticated):
    """This sign-in was not begun in this browser, or took too long. Begin it again."""

    code = "INVALID_STATE"


class InvalidLogoutToken(Unauthenticated):
    """The logout token is not a valid one of the sign-in server."""

    code = "INVALID_LOGOUT_TOKEN"


class UnknownProvider(NotFound):
    """There is no sign-in of this name. Use google or github."""

    code = "UNKNOWN_PROVIDER"


class ProviderNotSetUp(UnknownProvider):
    """Signing in with this provider is not set up here. Choose another way to sign in."""


class SessionNotFound(NotFound):
    """You have no session with this id. It may have ended already."""

    code = "SESSION_NOT_FOUND"


class IdentityNotFound(NotFound):
    """No account of this provider is connected to yours."""

    code = "IDENTITY_NOT_FOUND"


class PasswordBeingChanged(Conflict):
    """Your password is being changed at this moment, by another request. Wait until that is done."""


class LastCredential(Conflict):
    """This is your only way to sign in. Set a password first (ask for a new one by e-mail), then disconnect it."""

    code = "LAST_CREDENTIAL"
