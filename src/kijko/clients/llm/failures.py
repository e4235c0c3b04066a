"""How providers' HTTP errors become the contract's error codes: the same for each of them."""

from kijko.clients.llm.base import ModelFailure
from kijko.models.enums import ExecutionErrorCode as Code

_TOO_LONG = ("context_length_exceeded", "prompt is too long", "maximum context", "exceeds the maximum number of tokens")
_REFUSED = ("content_filter", "content_policy", "safety", "blocked")


def of_status(provider: str, status: int, message: str, *, retry_after_s: float | None = None) -> ModelFailure:
    """The failure behind a provider's HTTP status (529 is Anthropic's word for overloaded) and its own message."""
    if status == 429:
        return ModelFailure(
            Code.PROVIDER_RATE_LIMITED,
            f"{provider} takes no more requests with this key for now. Try again later, or raise its limit there.",
            ran=False,
            retry_after_s=retry_after_s,
        )
    if status in (401, 403):
        return ModelFailure(
            Code.PROVIDER_AUTH,
            f"{provider} refused the API key. Check that it is valid and may use this model.",
            ran=False,
        )
    if status >= 500:
        return ModelFailure(
            Code.PROVIDER_OVERLOADED,
            f"{provider} is overloaded or out of order (HTTP {status}). Try again later.",
            ran=False,
            retry_after_s=retry_after_s,
        )
    lowered = message.lower()
    if status == 413 or any(word in lowered for word in _TOO_LONG):
        return ModelFailure(
            Code.CONTEXT_TOO_LONG, "The prompt is longer than this model accepts. Shorten it or its context.", ran=False
        )
    if any(word in lowered for word in _REFUSED):
        return refused(provider)
    return ModelFailure(Code.INTERNAL, f"{provider} refused the request (HTTP {status}): {message[:300]}", ran=False)


def refused(provider: str) -> ModelFailure:
    """The model would not answer for reasons of content."""
    return ModelFailure(
        Code.CONTENT_REFUSED, f"{provider} declined to answer this prompt for reasons of content.", ran=True
    )


def timeout(provider: str) -> ModelFailure:
    """No answer within the deadline; the model may have worked."""
    return ModelFailure(Code.TIMEOUT, f"{provider} did not answer in time. Try again, or ask for less.", ran=True)


def unreachable(provider: str) -> ModelFailure:
    """No connection came about."""
    return ModelFailure(Code.PROVIDER_OVERLOADED, f"{provider} cannot be reached at the moment.", ran=False)


def no_key(provider: str, variable: str) -> ModelFailure:
    """Neither the organization nor the server has a key."""
    return ModelFailure(
        Code.PROVIDER_AUTH,
        f"There is no API key for {provider}. An owner or admin sets the organization's own, or an operator sets "
        f"{variable}; or choose another model.",
        ran=False,
    )


def retry_after(header: str | None) -> float | None:
    """Seconds of a Retry-After header that holds a number; None else."""
    try:
        return float(header) if header else None
    except ValueError:
        return None
