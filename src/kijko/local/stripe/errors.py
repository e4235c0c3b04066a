"""Stripe's errors, as its API words and codes them."""

from typing import Any


class StripeError(Exception):
    """An answer other than 200: `{"error": {type, code, message, param}}`."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self._body = {"type": kind, "code": code, "message": message, "param": param}

    def body(self) -> dict[str, Any]:
        """The JSON body; what is not known is left out."""
        return {"error": {key: value for key, value in self._body.items() if value is not None}}


def missing(kind: str, object_id: str, param: str = "id") -> StripeError:
    """No object of that id, or a deleted one where a living one is needed."""
    return StripeError(f"No such {kind}: '{object_id}'", status=404, code="resource_missing", param=param)
