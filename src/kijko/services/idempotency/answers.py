"""Claims of keys, and the answers kept under them."""

import base64
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import orjson

from kijko.core.crypto import Box
from kijko.core.tenancy import OrgTx, SystemTx
from kijko.services.idempotency import queries
from kijko.services.idempotency.errors import IdempotencyInProgress, IdempotencyMismatch, InvalidIdempotencyKey

LEASE_S: Final = 150
"""How long a claim without an answer stands: longer than the longest request, for a crashed one a wait."""

_MOST: Final = 255


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request under a key. `fingerprint` tells its content from another's."""

    path: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it left; `headers` in lower case, those that belong to the content."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def attempt(path: str, key: str, body: bytes) -> Attempt:
    """The attempt that a request is. What stands in the query (how long to wait, say) makes it no other one.

    Raises:
        InvalidIdempotencyKey: the key is empty, too long, or has other characters than visible ASCII.
    """
    if not 1 <= len(key) <= _MOST or not all("!" <= character <= "~" for character in key):
        raise InvalidIdempotencyKey(field="Idempotency-Key")
    return Attempt(path, key, sha256(body).digest())


def is_kept(status: int) -> bool:
    """Whether an answer of that status is the last word: done, or refused for what was asked."""
    return 200 <= status < 300 or status in {400, 404, 409, 422}


async def claim(tx: OrgTx, box: Box, wanted: Attempt, *, lease: bool = False) -> Answer | None:
    """Take the key until this transaction ends, or with `lease` for LEASE_S seconds; or give the answer kept under it.

    Raises:
        IdempotencyInProgress: somebody works under this key now.
        IdempotencyMismatch: it was used for something else.
    """
    found = await queries.claim(tx, wanted.path, wanted.key, wanted.fingerprint, LEASE_S if lease else None)
    match found.outcome:
        case "claimed":
            return None
        case "in_progress":
            raise IdempotencyInProgress
        case "mismatch":
            raise IdempotencyMismatch(field="Idempotency-Key")
        case _:
            return _opened(box, found.status or 0, found.answer or b"")


async def keep(tx: OrgTx, box: Box, wanted: Attempt, answer: Answer) -> None:
    """Keep the answer with the work of this transaction, instead of an earlier one under the same key."""
    await queries.keep(
        tx, wanted.path, wanted.key, wanted.fingerprint, status=answer.status, answer=_sealed(box, answer)
    )


async def forget(tx: OrgTx, wanted: Attempt) -> None:
    """Give a claim up: the request may be tried again at once."""
    await queries.forget(tx, wanted.path, wanted.key)


async def forget_expired(tx: SystemTx) -> int:
    """Delete keys older than a day; how many there were."""
    return await queries.forget_expired(tx)


def _sealed(box: Box, answer: Answer) -> bytes:
    content = {"headers": answer.headers, "body": base64.b64encode(answer.body).decode()}
    return box.seal(orjson.dumps(content))


def _opened(box: Box, status: int, sealed: bytes) -> Answer:
    content = orjson.loads(box.open(sealed))
    headers = tuple((name, value) for name, value in content["headers"])
    return Answer(status, headers, base64.b64decode(content["body"]))
