"""What becomes of an execution, as it comes, for one who may have heard a part of it before.

Ids are places in the text of one attempt: `delta` has that of the character behind it, `claim:offset`, and `execution`
comes last and has the id `end`. So whoever comes back with the id they saw gets the rest, and each character once. A
run that is tried again says another text: who heard some of the earlier one is told `restart` first. The row is looked
at each second, whatever is heard, and when it says that the run has ended its output is what counts.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import orjson

from kijko.core.errors import Invalid
from kijko.core.notices import Notice, Notices
from kijko.core.tenancy import OrgReader, Principal, Tenants
from kijko.core.turns import Turns
from kijko.models.enums import ExecutionStatus
from kijko.services.executions import queries
from kijko.services.executions.errors import ExecutionNotFound
from kijko.services.executions.hearing import Heard, Texts
from kijko.services.executions.results import ENDED, get

LAST: Final = "end"
_PIECE: Final = 16_384
"""Characters of one delta."""
_LOOK_S: Final = 1.0
_LOOKS_A_SIGN: Final = 15
_ID: Final = re.compile(r"(?:([0-9]{1,9}):)?([0-9]{1,12})", re.ASCII)


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


@dataclass(slots=True)
class Place:
    """How much was heard, and of which claim; None where the id did not say."""

    claims: int | None = None
    offset: int = 0

    def move(self, claims: int, attempt: int) -> Iterator[Told]:
        """To the text of that claim. Who heard some of an earlier one is told that it does not count."""
        if self.claims == claims:
            return
        heard = self.claims is not None and self.offset > 0
        if self.claims is not None:
            self.offset = 0
        self.claims = claims
        if heard:
            yield Told(f"{claims}:0", "restart", orjson.dumps({"attempt": attempt}))

    def delta(self, text: str) -> Told:
        """What follows, of the text that it is in."""
        self.offset += len(text)
        return Told(f"{self.claims}:{self.offset}", "delta", orjson.dumps({"text": text}))


def place_of(last_event_id: str | None) -> Place | None:
    """How much was heard; None where all was.

    Raises:
        BadEventId: it is no id of a stream.
    """
    if last_event_id == LAST:
        return None
    if not last_event_id:
        return Place()
    found = _ID.fullmatch(last_event_id)
    if found is None:
        raise BadEventId
    return Place(int(found[1]) if found[1] else None, int(found[2]))


@dataclass(frozen=True, slots=True)
class Following:
    """What it takes to follow runs, of one process."""

    database: Tenants
    notices: Notices
    texts: Texts
    turns: Turns


async def follow(
    given: Following, principal: Principal, execution_id: UUID, place: Place
) -> AsyncIterator[Told | None]:
    """What of it was not heard, until it or the caller's token has ended. None: nothing yet, the first time at once.

    Raises:
        ExecutionNotFound: the organization has none with that id, or has no more.
        Limited: the caller follows as many as they may.
    """
    async with AsyncExitStack() as held:
        held.enter_context(given.turns.take(principal.user_id))
        notice = held.enter_context(given.notices.expect(str(execution_id)))
        heard = await held.enter_async_context(given.texts.expect(execution_id, notice))
        reader, looks = given.database.reader(principal), 0
        while datetime.now(UTC) < principal.expires_at:
            look = await _look(reader, execution_id)
            if looks % _LOOKS_A_SIGN == 0:
                yield None
            if look.status in ENDED:
                for told in _rest(look, place):
                    yield told
                yield Told(LAST, "execution", await get(reader, execution_id))
                return
            if look.status == ExecutionStatus.RUNNING:
                await given.texts.ask(execution_id)
            async for told in _as_it_comes(heard, look, place, notice):
                yield told
            looks += 1


async def _look(reader: OrgReader, execution_id: UUID) -> queries.Look:
    found = await queries.look(reader, execution_id)
    if found is None:
        raise ExecutionNotFound
    return found


async def _as_it_comes(heard: Heard, look: queries.Look, place: Place, notice: Notice) -> AsyncIterator[Told]:
    """What is heard until the row is to be looked at again."""
    clock = asyncio.get_running_loop().time
    until, arrived = clock() + _LOOK_S, False
    while True:
        if heard.cited and (not look.cited or heard.claims > look.claims):
            # Of an attempt that the row was not looked at for: may the caller read what it is about?
            if not arrived:
                return
        else:
            for told in _heard(heard, place):
                yield told
        left_s = until - clock()
        if arrived or left_s <= 0:
            return
        arrived = await notice.wait(left_s)


def _heard(heard: Heard, place: Place) -> Iterator[Told]:
    if heard.claims and heard.claims >= (place.claims or 0):
        yield from place.move(heard.claims, heard.attempt)
        while text := heard.behind(place.offset, _PIECE):
            yield place.delta(text)


def _rest(look: queries.Look, place: Place) -> Iterator[Told]:
    """What of an ended one's output was not heard."""
    output = look.output
    if output is not None:
        yield from place.move(look.claims, look.attempts)
        for begin in range(place.offset, len(output), _PIECE):
            yield place.delta(output[begin : begin + _PIECE])
