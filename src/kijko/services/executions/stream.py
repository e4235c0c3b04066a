"""What becomes of an execution, as it comes, for one who may have heard a part of it before.

Ids are places in the output: `delta` has that of the character behind it, `execution` comes last and has the id `end`.
So whoever comes back with the id they saw gets the rest, and each character once. Today's model calls give their text
whole, so it comes when the run has ended; the shape is the same.
"""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import orjson

from kijko.core.errors import Invalid
from kijko.core.notices import Notices
from kijko.core.tenancy import Principal, Tenants
from kijko.core.turns import Turns
from kijko.services.executions.results import ENDED, get

LAST: Final = "end"
_PIECE: Final = 16_384
"""Characters of one delta."""
_LOOK_S: Final = 1.0
_LOOKS_A_SIGN: Final = 15
_DIGITS: Final = 12


class BadEventId(Invalid):
    """Last-Event-ID is none that this stream has told. Send the last one you got, or none."""

    def __init__(self) -> None:
        super().__init__(field="Last-Event-ID")


@dataclass(frozen=True, slots=True)
class Told:
    """One event; `data` is JSON."""

    id: str
    event: str
    data: bytes


def place_of(last_event_id: str | None) -> int | None:
    """How much of the output was heard; None where all was.

    Raises:
        BadEventId: it is no id of a stream.
    """
    if last_event_id == LAST:
        return None
    text = last_event_id or "0"
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS:
        raise BadEventId
    return int(text)


async def follow(
    database: Tenants, notices: Notices, turns: Turns, principal: Principal, execution_id: UUID, heard: int
) -> AsyncIterator[Told | None]:
    """What of it was not heard, until it or the caller's token has ended. None: nothing yet, the first time at once.

    Raises:
        ExecutionNotFound: the organization has none with that id, or has no more.
        Limited: the caller follows as many as they may.
    """
    with ExitStack() as held:
        held.enter_context(turns.take(principal.user_id))
        notice = held.enter_context(notices.expect(str(execution_id)))
        reader, looks = database.reader(principal), 0
        while datetime.now(UTC) < principal.expires_at:
            found = await get(reader, execution_id)
            if looks % _LOOKS_A_SIGN == 0:
                yield None
            read = orjson.loads(found)
            if read["status"] in ENDED:
                for told in _rest(read["output"] or "", heard):
                    yield told
                yield Told(LAST, "execution", found)
                return
            looks += 1
            await notice.wait(_LOOK_S)


def _rest(output: str, heard: int) -> list[Told]:
    return [
        Told(str(min(begin + _PIECE, len(output))), "delta", orjson.dumps({"text": output[begin : begin + _PIECE]}))
        for begin in range(heard, len(output), _PIECE)
    ]
