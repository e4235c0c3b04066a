"""Requests under an Idempotency-Key: the first answer is given again, for 24 hours.

Owns the table idempotency_keys. Invariants: a key belongs to one caller, organization and path; the answer is kept in
the transaction of the work, so there is never one without the other; kept answers are encrypted.
"""

from kijko.services.idempotency.answers import (
    LEASE_S,
    Answer,
    Attempt,
    attempt,
    claim,
    forget,
    forget_expired,
    is_kept,
    keep,
)

__all__ = ["LEASE_S", "Answer", "Attempt", "attempt", "claim", "forget", "forget_expired", "is_kept", "keep"]
