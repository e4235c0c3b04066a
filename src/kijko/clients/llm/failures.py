"""How providers' errors become the contract's error codes: the same for each of them."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from kijko.clients.llm.base import ModelFailure
from kijko.models.enums import ExecutionErrorCode as Code

GARBAGE = (ValueError, TypeError, AttributeError, LookupError)
"""What the SDKs raise about bytes that are no answer of theirs: JSON that is none, fields that are missing."""
_TOO_LONG = ("context_length_exceeded", "prompt is too long", "maximum context", "exceeds the maximum number of tokens")
_REFUSED = ("content_filter", "content_policy", "safety", "blocked")
_NO_CREDIT = ("insufficient_quota", "credit balance", "billing")
# Errors that come in a stream that began well have no status of their own, but a name.
_STATUS_OF = {
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "resource_exhausted": 429,
    "overloaded_error": 529,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "request_too_large": 413,
    "invalid_request_error": 400,
}


def of_status(
    provider: str, status: int, message: str, *, retry_after_s: float | None = None, ran: bool = False
) -> ModelFailure:
    """The failure behind a provider's HTTP status (529 is Anthropic's word for overloaded) and its own message.

    `ran` says whether the model had begun to answer before.
    """
    lowered = message.lower()
    if any(word in lowered for word in _NO_CREDIT):
        return ModelFailure(
            Code.PROVIDER_AUTH,
            f"The account behind the API key for {provider} has no credit left. Add some there, or use another key.",
            ran=ran,
        )
    if status == 429:
        return ModelFailure(
            Code.PROVIDER_RATE_LIMITED,
            f"{provider} takes no more requests with this key for now. Try again later, or raise its limit there.",
            ran=ran,
            retry_after_s=retry_after_s,
        )
    if status in (401, 403) or "api key not valid" in lowered:  # which Google says with a 400
        return ModelFailure(
            Code.PROVIDER_AUTH,
            f"{provider} refused the API key. Check that it is valid and may use this model.",
            ran=ran,
        )
    if status in (408, 504):
        return timeout(provider)
    if status >= 500:
        return ModelFailure(
            Code.PROVIDER_OVERLOADED,
            f"{provider} is overloaded or out of order (HTTP {status}). Try again later.",
            ran=ran,
            retry_after_s=retry_after_s,
        )
    return _of_request(provider, status, message, ran=ran)


def _of_request(provider: str, status: int, message: str, *, ran: bool) -> ModelFailure:
    lowered = message.lower()
    if status == 413 or any(word in lowered for word in _TOO_LONG):
        return ModelFailure(
            Code.CONTEXT_TOO_LONG, "The prompt is longer than this model accepts. Shorten it or its context.", ran=ran
        )
    if any(word in lowered for word in _REFUSED):
        return refused(provider)
    if status == 404:
        return ModelFailure(
            Code.INTERNAL, f"{provider} has no model of this name for this key. Choose another model.", ran=ran
        )
    said = " ".join(message.split())[:300].rstrip(".")
    return ModelFailure(
        Code.INTERNAL,
        f"{provider} refused the request (HTTP {status}): {said}. Change the skill's parameters or its prompt.",
        ran=ran,
    )


def of_name(provider: str, name: str | None, message: str) -> ModelFailure:
    """The failure behind an error that came in the middle of an answer, by its provider's name for it."""
    known = _STATUS_OF.get((name or "").lower(), 500)
    return of_status(provider, known, f"{name}: {message}", ran=True)


def refused(provider: str) -> ModelFailure:
    """The model would not answer for reasons of content."""
    return ModelFailure(
        Code.CONTENT_REFUSED,
        f"{provider} declined to answer this prompt for reasons of content. Change it, or choose another model.",
        ran=True,
    )


def timeout(provider: str) -> ModelFailure:
    """No answer within the deadline; the model may have worked."""
    return ModelFailure(Code.TIMEOUT, f"{provider} did not answer in time. Try again, or ask for less.", ran=True)


def unreachable(provider: str) -> ModelFailure:
    """No connection came about."""
    return ModelFailure(
        Code.PROVIDER_OVERLOADED, f"{provider} cannot be reached at the moment. Try again later.", ran=False
    )


def lost(provider: str, *, connected: bool) -> ModelFailure:
    """A connection that never came about started no model; one that broke may have."""
    return cut(provider) if connected else unreachable(provider)


def cut(provider: str) -> ModelFailure:
    """The answer ended before its end."""
    return ModelFailure(
        Code.PROVIDER_OVERLOADED, f"{provider} broke off in the middle of its answer. Try again later.", ran=True
    )


def garbage(provider: str) -> ModelFailure:
    """What came is no answer of this provider's."""
    return ModelFailure(
        Code.PROVIDER_OVERLOADED,
        f"{provider} sent what is no answer, as if it or something before it were out of order. Try again later.",
        ran=True,
    )


def no_key(provider: str, variable: str) -> ModelFailure:
    """Neither the organization nor the server has a key."""
    return ModelFailure(
        Code.PROVIDER_AUTH,
        f"There is no API key for {provider}. An owner or admin sets the organization's own, or an operator sets "
        f"{variable}; or choose another model.",
        ran=False,
    )


def retry_after(header: str | None) -> float | None:
    """Seconds from now of a Retry-After header, which holds a number or a date; None where it holds neither."""
    if not header:
        return None
    try:
        return max(float(header), 0)
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max((until.astimezone(UTC) - datetime.now(UTC)).total_seconds(), 0)
