"""What is wrong with a request before any feature sees it."""

from starlette.exceptions import HTTPException

from kijko.core.errors import AppError, Invalid
from kijko.models.problem import status_of


class MalformedJson(Invalid):
    """The body is not valid JSON."""

    code = "MALFORMED_JSON"


class UnsupportedMediaType(Invalid):
    """The body's Content-Type is not one that this address takes. Send application/json."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class MethodNotAllowed(Invalid):
    """This address does not take that method; the header Allow lists those it takes."""

    code = "METHOD_NOT_ALLOWED"


class PayloadTooLarge(Invalid):
    """The body is larger than this address takes."""

    code = "PAYLOAD_TOO_LARGE"


class NulCharacter(Invalid):
    """The address contains a NUL character (%00). Remove it."""


class Refusal(HTTPException):
    """An error raised while a body is read. There the framework turns every exception but its own kind into a 400."""

    def __init__(self, error: AppError) -> None:
        super().__init__(status_of(error), detail=error.detail)
        self.error = error
