"""The rooms of one process: each is read once, for all who listen to it here.

A room is read when a notice says that something is new; a look every second finds what no notice told, and whom a room
is no longer for. A listener gets each event after the id it came with once, in order; where the log has forgotten some
of them, it is told so first.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, Protocol

import structlog

from kijko.core.db.errors import DatabaseError
from kijko.core.errors import AppError
from kijko.core.notices import Notices
from kijko.core.tenancy import Principal
from kijko.services.events import PAGE, Entry, Head, Listening, Page, notice_of

_LOOK_S: Final = 1.0
_AT_ONCE: Final = 1000
_TRUST_S: Final = 0.25
"""How long an answer to who may listen is believed while events come thick."""
_LITTLE: Final = 500_000
_log = structlog.get_logger(__name__)


class Listener(Protocol):
    """A socket, in one room. None of its methods waits."""

    room: str

    @property
    def principal(self) -> Principal:
        """Whose it is, by the newest token."""
        ...

    def take(self, entries: Sequence[Entry]) -> None:
        """Events, in order."""
        ...

    def gap(self, oldest_id: int) -> None:
        """Events before this id are not in the log any more: what they told is to be fetched anew."""
        ...

    def refuse(self, reason: AppError) -> None:
        """It has left the room and may not come back."""
        ...


Send = Callable[[Sequence[Entry]], Awaitable[None]]


class _Place:
    """A listener in a room, and up to which id it has heard."""

    def __init__(self, listener: Listener, seen: int) -> None:
        self.listener = listener
        self.seen = seen

    def take(self, entries: Sequence[Entry]) -> None:
        """What of these it has not heard; ids have no holes, so one that is missing was forgotten by the log."""
        fresh = entries if entries[0].id > self.seen else [one for one in entries if one.id > self.seen]
        if not fresh:
            return
        if fresh[0].id > self.seen + 1:
            self.listener.gap(fresh[0].id)
        self.seen = fresh[-1].id
        heard = self._of_its_organization(fresh)
        if heard:
            self.listener.take(heard)

    def _of_its_organization(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """All of them for a person; for an API key what is of its organization: its maker's own room tells more."""
        principal = self.listener.principal
        if principal.key is None:
            return entries
        return [one for one in entries if one.organization_id == principal.organization_id]


class _Room:
    """One room's reading."""

    def __init__(self, name: str, log: Listening, notices: Notices) -> None:
        self.name = name
        self.places: dict[Listener, _Place] = {}
        self.position = -1
        """Up to which id it was read; -1 before anybody is in it."""
        self.joining = 0
        self._log = log
        self._asked = 0.0
        self._ahead: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._expecting = contextlib.ExitStack()
        self._notice = self._expecting.enter_context(notices.expect(notice_of(name)))
        self._task = asyncio.create_task(self._read_on(), name=f"room {name}")

    async def join(self, listener: Listener, after: int | None, send: Send) -> int:
        """Lets it hear what follows on an id, or what is new from now. The newest id there is.

        Raises:
            SessionEnded, NoSuchRoom: it may not listen.
        """
        while True:
            async with self._turn:
                page = await self._log.read(self.name, _start(after), [listener])
                for _, reason in page.refused:
                    raise reason
                if after is None or _is_little(page.entries):
                    return self._admit(listener, after, page.head, page.entries)
            if page.entries[0].id > after + 1:
                listener.gap(page.entries[0].id)
            await send(page.entries)
            after = page.entries[-1].id

    def _admit(self, listener: Listener, after: int | None, head: Head, entries: Sequence[Entry]) -> int:
        newest = max(head.last_id, entries[-1].id if entries else 0)
        place = _Place(listener, newest if after is None else after)
        if after is not None:
            if after > newest or (not entries and after < newest):
                # An id of another log than this one, or all that followed it was forgotten.
                listener.gap(newest + 1)
                place.seen = newest
            elif entries:
                place.take(entries)
        if not self.places:
            self.position = newest
        self.places[listener] = place
        return newest

    def wake(self) -> None:
        """There is something to read."""
        self._notice.arrive()

    async def close(self) -> None:
        """Nobody is in it any more."""
        tasks = [self._task, *([self._ahead] if self._ahead is not None else [])]
        for task in tasks:
            task.cancel()
        self._expecting.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read_on(self) -> None:
        while True:
            await self._notice.wait(60)
            with _logged(self.name):
                async with self._turn:
                    await self._read()
                continue
            await asyncio.sleep(_LOOK_S)
            self.wake()

    async def _read(self) -> None:
        while self.places:
            asking = self._to_ask(_TRUST_S)
            page = await self._log.read(self.name, self.position, asking)
            self._answered(asking, page)
            if page.head.last_id < self.position:  # the database was restored to an earlier day
                self._begin_anew(page.head.last_id)
            elif page.entries:
                self.position = page.entries[-1].id
                for one in list(self.places.values()):
                    one.take(page.entries)
            if len(page.entries) < PAGE:
                if not asking:
                    self._ask_ahead()
                return

    def _to_ask(self, older_s: float) -> list[Listener]:
        """Who is to be asked about, where the last answer is older than that."""
        return list(self.places) if time.monotonic() - self._asked > older_s else []

    def _answered(self, asking: Sequence[Listener], page: Page) -> None:
        if asking:
            self._asked = time.monotonic()
        for place, reason in page.refused:
            if self.places.pop(asking[place], None) is not None:
                asking[place].refuse(reason)

    def _ask_ahead(self) -> None:
        """Events come thick: who may still listen is asked beside them, so that the next ones do not wait for it."""
        if self._ahead is None or self._ahead.done():
            asking = self._to_ask(_TRUST_S / 2)
            self._ahead = asyncio.create_task(self._ask(asking)) if asking else None

    async def _ask(self, asking: Sequence[Listener]) -> None:
        with _logged(self.name):
            self._answered(asking, await self._log.read(self.name, _start(None), asking))

    def _begin_anew(self, newest: int) -> None:
        self.position = newest
        for one in self.places.values():
            one.seen = newest
            one.listener.gap(newest + 1)


@contextlib.contextmanager
def _logged(room: str) -> Iterator[None]:
    """What goes wrong is logged, and tried again: a loop that ended would leave its listeners without a word."""
    try:
        yield
    except DatabaseError as error:
        _log.warning("realtime.read_failed", room=room, error=str(error))
    except Exception:
        _log.exception("realtime.broke", room=room)


def _is_little(entries: Sequence[Entry]) -> bool:
    """Whether all that is left was read, and a socket's queue takes it at once."""
    return len(entries) < PAGE and sum(len(one.data) for one in entries) <= _LITTLE


def _start(after: int | None) -> int:
    return 2**62 if after is None else after


class Hub:
    """Everybody who listens in this process. `close` it in the end."""

    def __init__(self, log: Listening, notices: Notices) -> None:
        self._log = log
        self._notices = notices
        self._rooms: dict[str, _Room] = {}
        self._watching: asyncio.Task[None] | None = None

    async def join(self, listener: Listener, after: int | None, send: Send) -> int:
        """Lets it hear its room from the id on, or from now. Answers the newest id when it is live.

        `send` takes a page of what it missed and waits until it is sent, so that a long log needs no memory.

        Raises:
            SessionEnded, NoSuchRoom: it may not listen. DatabaseError: nobody can tell.
        """
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="rooms")
        room = self._rooms.get(listener.room)
        if room is None:
            room = self._rooms[listener.room] = _Room(listener.room, self._log, self._notices)
        room.joining += 1
        try:
            return await room.join(listener, after, send)
        finally:
            room.joining -= 1
            await self._tidy(room)

    async def leave(self, listener: Listener) -> None:
        """It hears no more."""
        room = self._rooms.get(listener.room)
        if room is not None:
            room.places.pop(listener, None)
            await self._tidy(room)

    async def close(self) -> None:
        """Ends all reading."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        rooms = list(self._rooms.values())
        self._rooms.clear()
        for room in rooms:
            await room.close()

    async def _tidy(self, room: _Room) -> None:
        if not room.places and not room.joining and self._rooms.get(room.name) is room:
            del self._rooms[room.name]
            await room.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            with _logged("all"):
                await self._look()

    async def _look(self) -> None:
        rooms = list(self._rooms.values())
        listeners = [one for room in rooms for one in room.places]
        for begin in range(0, max(len(listeners), len(rooms)), _AT_ONCE):
            some, part = listeners[begin : begin + _AT_ONCE], rooms[begin : begin + _AT_ONCE]
            heads, refused = await self._log.look([room.name for room in part], some)
            for room, head in zip(part, heads, strict=True):
                if head.last_id != room.position:
                    room.wake()
            for place, reason in refused:
                await self._expel(some[place], reason)

    async def _expel(self, listener: Listener, reason: AppError) -> None:
        room = self._rooms.get(listener.room)
        if room is not None and room.places.pop(listener, None) is not None:
            listener.refuse(reason)
            await self._tidy(room)
