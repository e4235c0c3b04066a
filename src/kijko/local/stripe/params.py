"""Which parameters a call takes and of what form; anything else is refused, as Stripe does."""

from collections.abc import Callable, Mapping
from typing import Any

from kijko.local.stripe.errors import StripeError

Check = Callable[[Any, str], Any]
"""Takes what came and the parameter's name, gives the value to keep; None unsets."""


def checked(form: Mapping[str, Any], known: Mapping[str, Check], within: str = "") -> dict[str, Any]:
    """The parameters that came, each in its form.

    Raises:
        StripeError: one is unknown, or not of its form.
    """
    values: dict[str, Any] = {}
    for name, raw in form.items():
        full = f"{within}[{name}]" if within else name
        if name not in known:
            raise StripeError(f"Received unknown parameter: {full}", code="parameter_unknown", param=full)
        values[name] = known[name](raw, full)
    return values


def text(longest: int = 5000) -> Check:
    """A string; an empty one unsets."""

    def check(raw: Any, param: str) -> str | None:
        if not isinstance(raw, str):
            raise StripeError(f"Invalid string: {param}", param=param)
        if len(raw) > longest:
            message = f"Invalid string: {param} must be at most {longest} characters"
            raise StripeError(message, code="parameter_invalid_string", param=param)
        return raw or None

    return check


def integer(least: int | None = None, most: int | None = None) -> Check:
    """A whole number within bounds."""

    def check(raw: Any, param: str) -> int:
        try:
            number = int(raw)
        except (TypeError, ValueError):
            code = "parameter_invalid_integer"
            raise StripeError(f"Invalid integer: {raw}", code=code, param=param) from None
        if (least is not None and number < least) or (most is not None and number > most):
            bounds = f"between {least} and {most}" if most is not None else f"at least {least}"
            raise StripeError(
                f"Invalid integer: {param} must be {bounds}", code="parameter_invalid_integer", param=param
            )
        return number

    return check


def one_of(*choices: str) -> Check:
    """One word of a closed set."""

    def check(raw: Any, param: str) -> str:
        if raw not in choices:
            raise StripeError(f"Invalid {param}: must be one of {', '.join(choices)}", param=param)
        return str(raw)

    return check


def hash_of(known: Mapping[str, Check]) -> Check:
    """A hash of known parameters; an empty string unsets it."""

    def check(raw: Any, param: str) -> dict[str, Any] | None:
        if raw == "":
            return None
        if not isinstance(raw, dict):
            raise StripeError(f"Invalid hash: {param}", code="parameter_invalid_empty", param=param)
        return checked(raw, known, param)

    return check


def list_of(each: Check) -> Check:
    """An array; an empty string empties it."""

    def check(raw: Any, param: str) -> list[Any]:
        if raw == "":
            return []
        if not isinstance(raw, list):
            raise StripeError(f"Invalid array: {param}", param=param)
        return [each(item, f"{param}[{index}]") for index, item in enumerate(raw)]

    return check


def metadata(raw: Any, param: str) -> dict[str, str]:
    """Up to 50 pairs of short strings; an empty value deletes its key, an empty string all of them."""
    if raw == "":
        return {}
    # Keys that are all digits arrive as a list; they are keys here.
    pairs = {str(index): value for index, value in enumerate(raw)} if isinstance(raw, list) else raw
    if not isinstance(pairs, dict) or not all(isinstance(value, str) for value in pairs.values()):
        raise StripeError("Metadata values must be strings", param=param)
    for key, value in pairs.items():
        if len(key) > 40 or len(value) > 500:
            raise StripeError("Metadata keys have at most 40, values at most 500 characters", param=f"{param}[{key}]")
    return pairs


def merge_metadata(old: Mapping[str, str], sent: Mapping[str, str]) -> dict[str, str]:
    """The metadata after an update.

    Raises:
        StripeError: it would have more than 50 keys.
    """
    merged = {key: value for key, value in {**old, **sent}.items() if value} if sent else {}
    if len(merged) > 50:
        raise StripeError("Metadata can have up to 50 keys", param="metadata")
    return merged
