"""Sending to a socket without waiting for it: a slow reader holds up nobody, and has a bound."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Final

from starlette.types import Message, Send

_MESSAGES: Final = 1000
_CHARACTERS: Final = 4_000_000


class Outbox:
    """What one socket is sent. As long as it takes everything, no task and no queue stand in between."""

    def __init__(self, send: Send, overflow: Callable[[], None]) -> None:
        """`overflow` is called once, when the reader is too slow for what it is sent."""
        self._send = send
        self._overflow = overflow
        self._waiting: deque[Message] = deque()
        self._characters = 0
        self._task: asyncio.Task[None] | None = None
        self._broken = False

    def put(self, text: str) -> None:
        """Sends a text, now or as soon as the socket takes it."""
        if self._broken:
            return
        message = {"type": "websocket.send", "text": text}
        if self._task is None:
            self._begin(message)
            return
        self._waiting.append(message)
        self._characters += len(text)
        if len(self._waiting) > _MESSAGES or self._characters > _CHARACTERS:
            self._break()
            self._overflow()

    async def drained(self) -> None:
        """Returns when the socket has taken all."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def stop(self) -> None:
        """Sends nothing more."""
        self._break()
        if self._task is not None:
            self._task.cancel()

    def _break(self) -> None:
        self._broken = True
        self._waiting.clear()

    def _begin(self, message: Message) -> None:
        sending = self._send(message)
        assert isinstance(sending, Coroutine)  # noqa: S101  # an ASGI server's send is one
        try:
            # Its first step, without a task: a socket that can take the message has it then.
            blocked = sending.send(None)
        except StopIteration:
            return
        except Exception:  # the client has left: whoever receives hears of it
            self._break()
            return
        self._task = asyncio.create_task(self._go_on(_Rest(sending, blocked)))

    async def _go_on(self, rest: Awaitable[None]) -> None:
        try:
            await rest
            while self._waiting:
                message = self._waiting.popleft()
                self._characters -= len(message["text"])
                await self._send(message)
        except Exception:  # as above
            self._break()
        finally:
            self._task = None


class _Rest:
    """Awaits what is left of a coroutine whose first step has been made."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], blocked: Any) -> None:  # Any: what the loop is handed
        self._coroutine = coroutine
        self._blocked = blocked

    def __await__(self) -> Generator[Any, Any, None]:
        blocked = self._blocked
        while True:
            try:
                try:
                    given = yield blocked
                except BaseException as error:
                    blocked = self._coroutine.throw(error)
                else:
                    blocked = self._coroutine.send(given)
            except StopIteration:
                return
