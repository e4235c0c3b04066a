"""The errors a person may see. Services raise them; one place (`kijko.models.problem`) turns them into problem+json.

There are seven kinds. A feature subclasses a kind, sets `code` (a name of the contract) and writes the default text
as its docstring. Nothing here knows a status number.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

# A problem's `details` is any JSON: its shape is each code's own.
Details = Mapping[str, Any] | Sequence[Any]


class AppError(Exception):
    """Something went wrong on our side. It was logged; please try again."""

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, detail: str | None = None, *, field: str | None = None, details: Details | None = None) -> None:
        self.detail = detail or " ".join((type(self).__doc__ or "").split())
        self.field = field
        self.details = details
        super().__init__(self.detail)


class Invalid(AppError):
    """The request is well formed but its content is not acceptable."""

    code = "VALIDATION_ERROR"

    def __init__(self, detail: str | None = None, *, field: str | None = None, details: Details | None = None) -> None:
        super().__init__(detail, field=field, details=details)
        if field is not None and details is None:  # a form shows what is in details, each at its field
            self.details = [{"field": field, "message": self.detail}]


class Unauthenticated(AppError):
    """Sign in first: this needs a valid access token."""

    code = "UNAUTHENTICATED"


class Forbidden(AppError):
    """You are not allowed to do this."""

    code = "FORBIDDEN"


class NotFound(AppError):
    """There is nothing at this address."""

    code = "NOT_FOUND"


class Conflict(AppError):
    """This cannot be done in the present state."""

    code = "CONFLICT"


class Limited(AppError):
    """Too much for now; try again later."""

    code = "RATE_LIMITED"

    def __init__(
        self,
        detail: str | None = None,
        *,
        details: Details | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail, details=details)
        self.retry_after_s = retry_after_s


class Unavailable(AppError):
    """A service this needs does not answer at the moment; try again in a little while."""

    code = "UNAVAILABLE"

    def __init__(self, detail: str | None = None, *, retry_after_s: int | None = 5) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class QuotaExceeded(Limited):
    """The plan's limit is reached."""

    code = "QUOTA_EXCEEDED"
