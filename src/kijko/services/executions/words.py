"""How a run's text travels from its worker to who follows it: messages over Redis that may be lost.

A worker publishes on a run's own channel, `[claims, attempt, offset, cited, text]`: which time it was taken, where in
that attempt's text this piece begins, and whether it may hold a project's code. It falls silent where nobody hears it.
Whoever follows says so, `[execution, claims, offset]`, when they begin, and again where something was missed: then they
get what is behind that place, and what comes.
"""

from typing import Final, NamedTuple
from uuid import UUID

import orjson

ASKS: Final = "kijko:asks"
_TEXTS: Final = "kijko:text:"


class Words(NamedTuple):
    """A piece of text."""

    claims: int
    attempt: int
    offset: int
    cited: bool
    text: str


class Ask(NamedTuple):
    """Somebody follows a run and has its text up to a place."""

    execution_id: UUID
    claims: int
    offset: int


def channel_of(execution_id: UUID) -> str:
    """The channel on which a run's text is told."""
    return f"{_TEXTS}{execution_id}"


def execution_of(channel: str) -> UUID | None:
    """Whose text the channel carries; None for another channel."""
    return UUID(channel.removeprefix(_TEXTS)) if channel.startswith(_TEXTS) else None


def written(message: Words | Ask) -> bytes:
    """As it travels."""
    return orjson.dumps(list(message))


def words(message: bytes) -> Words:
    """What was written as such."""
    return Words(*orjson.loads(message))


def ask(message: bytes) -> Ask:
    """What was written as such."""
    execution_id, claims, offset = orjson.loads(message)
    return Ask(UUID(execution_id), claims, offset)
