"""The HTTP/1.1 protocol of the API's server: uvicorn's own, with a bound on headers and problems for what it refuses.

Started as `uvicorn --http kijko.middleware.protocol:Http --ws kijko.middleware.protocol:WebSocket`.
"""

import contextlib
import logging
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from kijko.models.problem import problem

FRAMES: Final = "kijko.frames"
"""The ASGI extension under which a WebSocket's application finds its `Frames`."""
_LONGEST_HEAD: Final = 65_536
"""Bytes of a request line with its headers. A browser's are a few thousand, with cookies and a token."""
_MALFORMED: Final = (HTTPStatus.BAD_REQUEST, "MALFORMED_REQUEST", "The request is not valid HTTP/1.1. Mend the client.")
_TOO_LARGE: Final = (
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "HEADERS_TOO_LARGE",
    f"The address and the headers together are longer than {_LONGEST_HEAD:,} bytes. Send less.",
)


class Http(HttpToolsProtocol):
    """One connection. What cannot become a request is answered here, since no application sees it."""

    _in_head = False
    _head = 0
    """Bytes of an unfinished head, but for those that came with its beginning: they may be an earlier body's."""

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and refuse a head that has grown past its bound: an endless one would fill the memory."""
        if self.transport.is_closing():
            return
        began = self._in_head
        super().data_received(data)
        self._head = self._head + len(data) if began and self._in_head else 0
        if self._head > _LONGEST_HEAD and not self.transport.is_closing():
            self._refuse(*_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there; what follows is a body, which has a bound of its own."""
        self._in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """A problem in place of uvicorn's plain text."""
        self._refuse(*_MALFORMED)

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        request_id = uuid4().hex
        body = problem(status, code, detail, request_id=request_id).model_dump_json(by_alias=True).encode()
        self.logger.warning("refused before it was a request: %s", detail, extra={"request_id": request_id})
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\nx-content-type-options: nosniff\r\n"
            "cache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


class WebSocket(WebSocketsSansIOProtocol):
    """One WebSocket. uvicorn would log each with its address, and in that stands an access token."""

    def __init__(self, *args: Any, **more: Any) -> None:  # Any: uvicorn's own
        super().__init__(*args, **more)
        self.logger = _quiet

    async def send(self, message: Any) -> None:  # Any: uvicorn's own
        """Send; an answer in place of a WebSocket ends the handshake, too, which uvicorn would log as left undone."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    async def run_asgi(self) -> None:
        """Run the application, which may write frames by itself; then give the client a moment to take what is left."""
        extensions: dict[str, Any] = {FRAMES: Frames(self)}  # Any: each extension's own
        self.scope["extensions"] = extensions | (self.scope.get("extensions") or {})
        try:
            await super().run_asgi()
        finally:
            # Who reads nothing would keep what waits for it in memory for as long as it likes.
            self.loop.call_later(self.close_timeout, self.transport.abort)


class Frames:
    """Writing to one WebSocket without waiting and without another copy: a server's frames have no mask, so the same
    bytes go to all who are told the same."""

    def __init__(self, protocol: WebSocket) -> None:
        self._protocol = protocol

    @property
    def waiting(self) -> int:
        """Bytes that the socket has not taken yet."""
        transport = self._protocol.transport
        return 0 if transport.is_closing() else transport.get_write_buffer_size()

    def write(self, frames: bytes) -> None:
        """Whole frames, in the order of the calls. Nothing happens on a socket that is closed."""
        protocol = self._protocol
        if not (protocol.close_sent or protocol.transport.is_closing()):
            protocol.transport.write(frames)

    async def drained(self) -> None:
        """Returns when the socket has taken most of what was written, or is closed."""
        await self._protocol.writable.wait()

    def close(self, code: int, reason: str) -> None:
        """Closes it behind what was written. The application's `receive` then ends."""
        protocol = self._protocol
        if protocol.close_sent or protocol.transport.is_closing():
            return
        with contextlib.suppress(InvalidState):
            protocol.conn.send_close(code, reason)
        protocol.transport.write(b"".join(protocol.conn.data_to_send()))
        protocol.close_sent = True
        protocol.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        protocol.close_timer = protocol.loop.call_later(protocol.close_timeout, protocol.transport.close)


_quiet: Final = logging.getLogger("uvicorn.websockets")
_quiet.setLevel(logging.WARNING)
