"""Clients of Socket.IO for tests: the Python one here, the JavaScript one in `node`."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import socketio
from socketio.exceptions import ConnectionError as Refused
from socketio.exceptions import SocketIOError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from kijko.models.base import Wire
from kijko.models.events import EVENTS, About

_SHAPES = {one.name: one.data for one in EVENTS if not one.by_client}
_AMBIENT = frozenset({"activity:new", "user:status"})
Told = tuple[str, dict[str, Any], dict[str, Any]]


def _nulls(shape: type[Wire]) -> dict[str, None]:
    """What may be left out."""
    return {field.alias or name: None for name, field in shape.model_fields.items() if not field.is_required()}


class Client:
    """The standard Python client, which does not connect again by itself. What it is told comes into one queue."""

    def __init__(self, **how: Any) -> None:
        self.raw = socketio.AsyncClient(**{"reconnection": False, **how})
        self.told: asyncio.Queue[Told] = asyncio.Queue()
        self.around: asyncio.Queue[Told] = asyncio.Queue()
        """What people do, and who of them is there: it is told whenever it happens, so it has a queue of its own."""
        self.refusals: list[Any] = []
        self.gone = asyncio.Event()
        self.raw.on("*", self._take)
        self.raw.on("connect_error", self.refusals.append)
        self.raw.on("disconnect", lambda *_: self.gone.set())

    async def _take(self, event: str, *arguments: Any) -> None:
        data, about = arguments
        About.model_validate(about)
        if "number" not in data:  # `publish` only numbers its events
            shape = _SHAPES[event]
            told = json.loads(json.dumps(data).replace(".000000Z", "Z"))
            assert shape.model_validate(data).model_dump(mode="json", by_alias=True) == {**_nulls(shape), **told}
        ambient = event in _AMBIENT and "number" not in data
        (self.around if ambient else self.told).put_nowait((event, *arguments))

    async def next(self) -> Told:
        """The next event: its name, data, and {room, id, timestamp}."""
        async with asyncio.timeout(15):
            return await self.told.get()

    async def next_around(self) -> Told:
        """What somebody did next, or who came or went."""
        async with asyncio.timeout(15):
            return await self.around.get()

    async def until(self, event: str) -> list[Told]:
        """Every event up to one of that name."""
        found = [await self.next()]
        while found[-1][0] != event:
            found.append(await self.next())
        return found

    async def numbers(self, upto: int) -> list[int]:
        """What `publish` numbered, up to that number, in the order it came."""
        found: list[int] = []
        while not found or found[-1] != upto:
            event, data, about = await self.next()
            if event == "progress_update":
                assert about["id"] == str(data["number"])
                found.append(data["number"])
        return found

    async def ask(self, event: str, **data: Any) -> dict[str, Any]:
        """The acknowledgement of an event."""
        found: dict[str, Any] = await self.raw.call(event, data, timeout=15)
        return found

    async def join(self, project: dict[str, Any], *, last_id: object = None) -> dict[str, Any]:
        """Joins a project's room."""
        more = {} if last_id is None else {"lastId": last_id}
        return await self.ask("join", room=f"project:{project['id']}", **more)

    async def ended(self) -> None:
        """Returns when the server has ended it."""
        async with asyncio.timeout(15):
            await self.gone.wait()


class Returning(Client):
    """As an app has it: it connects again by itself, and joins its room from the id on that it has seen."""

    def __init__(self, room: str) -> None:
        super().__init__(reconnection=True, reconnection_delay=0.1, reconnection_delay_max=0.5)
        self.drops = 0
        self._room = room
        self._seen = "0"
        self.raw.on("connect", self._come)
        self.raw.on("disconnect", self._go)

    def _go(self, *_: object) -> None:
        self.drops += 1

    async def _come(self) -> None:
        self.raw.start_background_task(self._join)

    async def _join(self) -> None:
        with suppress(SocketIOError, TimeoutError):
            await self.ask("join", room=self._room, lastId=self._seen)

    async def _take(self, event: str, *arguments: Any) -> None:
        await super()._take(event, *arguments)
        if arguments[1]["room"] == self._room and event != "joined":
            self._seen = arguments[1]["id"]


@asynccontextmanager
async def returning(url: str, token: str, room: str, *, transports: list[str]) -> AsyncIterator[Returning]:
    """Such a client, in that room from its beginning."""
    one = Returning(room)
    try:
        await one.raw.connect(url, auth={"token": token}, transports=transports, wait_timeout=15)
        yield one
    finally:
        await one.raw.shutdown()


@asynccontextmanager
async def client(
    stack_env: dict[str, str], token: str | None, *, transports: list[str] | None = None, url: str = "", **auth: Any
) -> AsyncIterator[Client]:
    """A connection after its handshake; its first event is `joined`, of the person's own room."""
    one = Client()
    try:
        await one.raw.connect(
            url or stack_env["KIJKO_API_URL"],
            auth={**auth, **({} if token is None else {"token": token})},
            transports=transports or ["websocket"],
            wait_timeout=15,
        )
        yield one
    finally:
        await one.raw.shutdown()


async def refusal(stack_env: dict[str, str], token: str | None, **more: Any) -> dict[str, Any]:
    """What a refused handshake says."""
    one = Client()
    try:
        await one.raw.connect(
            stack_env["KIJKO_API_URL"],
            auth={**more, **({} if token is None else {"token": token})},
            transports=["websocket"],
            wait_timeout=15,
        )
    except Refused:
        found: dict[str, Any] = one.refusals[0]
        return found
    finally:
        await one.raw.shutdown()
    raise AssertionError("it was let in")


async def full(stack_env: dict[str, str], token: str) -> tuple[int, str]:
    """How a handshake ends for which there is no place: the close code and the reason, and no packet that says so."""
    address = stack_env["KIJKO_API_URL"].replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
    async with connect(address, close_timeout=1) as socket, asyncio.timeout(15):
        await socket.recv()
        await socket.send("40" + json.dumps({"token": token}))
        try:
            told = await socket.recv()
        except ConnectionClosed:
            assert socket.close_code is not None
            return socket.close_code, socket.close_reason or ""
    raise AssertionError(f"it was told {told!r}")
