"""Sockets of projects, and events in their rooms, for tests."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Owner = psycopg.Connection[Any]
Message = dict[str, Any]


class Socket:
    """A client of the plain WebSocket."""

    def __init__(self, raw: ClientConnection) -> None:
        self.raw = raw
        self.rest: list[Message] = []
        """What came before the server closed it."""

    async def next(self) -> Message:
        """The next message."""
        async with asyncio.timeout(15):
            found: Message = json.loads(await self.raw.recv())
            return found

    async def until(self, event: str) -> list[Message]:
        """Every message up to one of that kind."""
        told = [await self.next()]
        while told[-1]["event"] != event:
            told.append(await self.next())
        return told

    async def numbers(self, upto: int) -> list[int]:
        """What `publish` numbered, up to that number, in the order it came."""
        found: list[int] = []
        while not found or found[-1] != upto:
            message = await self.next()
            if message["event"] == "progress_update":
                found.append(message["data"]["number"])
        return found

    async def say(self, event: str, **data: object) -> None:
        """Sends a message."""
        await self.raw.send(json.dumps({"event": event, "data": data}))

    async def closed(self) -> tuple[int, str]:
        """The code and the reason with which the server closed it."""
        async with asyncio.timeout(15):
            with suppress(ConnectionClosed):
                while True:
                    self.rest.append(json.loads(await self.raw.recv()))
        assert self.raw.close_code is not None
        return self.raw.close_code, self.raw.close_reason or ""


@asynccontextmanager
async def socket(
    stack_env: dict[str, str], project_id: object, token: str | None, *, last_id: object = None, path: str = ""
) -> AsyncIterator[Socket]:
    """A connection; nothing has been read of it."""
    query = [f"token={token}"] if token is not None else []
    query += [f"lastId={last_id}"] if last_id is not None else []
    address = stack_env["KIJKO_API_URL"].replace("http", "ws", 1) + (path or f"/api/projects/{project_id}/ws")
    async with connect(f"{address}?{'&'.join(query)}", open_timeout=15, close_timeout=1) as raw:
        yield Socket(raw)


async def close_of(*args: Any, **more: Any) -> tuple[int, str]:
    """How a connection ends that is refused."""
    async with socket(*args, **more) as one:
        return await one.closed()


def publish(
    owner: Owner, project: dict[str, Any], first: int, last: int, *, tell: Any = None, more: Any = None
) -> None:
    """Events with these numbers, each a transaction of its own; only `tell`, a Redis client, lets listeners know."""
    room = f"project:{project['id']}"
    for number in range(first, last + 1):
        owner.execute(
            "select kijko.write_event(%s, %s, %s, 'progress_update', %s)",
            (room, project["organizationId"], project["id"], json.dumps({"number": number} | (more or {}))),
        )
        if tell is not None:
            tell.publish("kijko:notices", f"room:{room}")


def stranger() -> str:
    """An id of nothing."""
    return str(uuid.uuid4())
