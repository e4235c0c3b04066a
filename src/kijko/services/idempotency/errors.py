"""Why a request with an Idempotency-Key is refused."""

from kijko.core.errors import Conflict, Invalid


class IdempotencyInProgress(Conflict):
    """A request with this Idempotency-Key is still being worked on. Wait a moment, then send it again."""

    code = "IDEMPOTENCY_IN_PROGRESS"


class IdempotencyMismatch(Invalid):
    """This Idempotency-Key was used for another request. Take a new key for each new request."""

    code = "IDEMPOTENCY_MISMATCH"


class InvalidIdempotencyKey(Invalid):
    """An Idempotency-Key has 1 to 255 visible ASCII characters, such as those of a UUID."""
