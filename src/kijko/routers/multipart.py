"""Reads multipart/form-data as it comes, part by part, holding no more than what one read of the socket brought.

FastAPI's own way puts down the whole form before a route sees any of it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Final

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from kijko.core.errors import Invalid
from kijko.middleware.errors import UnsupportedMediaType
from kijko.services.uploads.incoming import Part

_NO_FORM: Final = "The body is no multipart/form-data that can be read, or it breaks off."
_Headers = dict[str, str]


async def parts(request: Request, idle_s: float) -> AsyncIterator[Part]:
    """The parts of a request's form, each to be read before the next.

    Raises:
        UnsupportedMediaType: it is no form with parts. Invalid: what came is damaged or breaks off, or nothing more
            came for `idle_s` seconds.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise UnsupportedMediaType("Send multipart/form-data, with the fields projectId and files.")
    form = _Form(request, options.get(b"boundary", b""), idle_s)
    while (headers := await form.next_part()) is not None:
        yield _part(headers, form.content())


class _Form:
    def __init__(self, request: Request, boundary: bytes, idle_s: float) -> None:
        self._stream = request.stream()
        self._idle_s = idle_s
        self._events: deque[_Headers | bytes | None] = deque()
        """A part's headers, pieces of its content, and None at its end."""
        self._headers: _Headers = {}
        self._name, self._value = bytearray(), bytearray()
        self._ended = False
        if not boundary:
            raise Invalid(_NO_FORM)
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._on_name,
                    "on_header_value": self._on_value,
                    "on_header_end": self._on_header,
                    "on_headers_finished": lambda: self._events.append(self._headers),
                    "on_part_data": lambda data, start, end: self._events.append(data[start:end]),
                    "on_part_end": lambda: self._events.append(None),
                    "on_end": self._end,
                },
            )
        except FormParserError:
            raise Invalid(_NO_FORM) from None

    async def next_part(self) -> _Headers | None:
        """The next part's headers; None at the form's end. What is left of the part before is passed over."""
        while self._events or await self._feed():
            found = self._events.popleft()
            if isinstance(found, dict):
                return found
        return None

    async def content(self) -> AsyncIterator[bytes]:
        """What is left of the present part, in pieces."""
        while self._events or await self._feed():
            found = self._events.popleft()
            if not isinstance(found, bytes):
                return
            yield found

    async def _feed(self) -> bool:
        """Read until something happened; False at the end. Raises Invalid where that comes too early."""
        while not self._events:
            piece = await self._receive()
            if piece is None:
                if not self._ended:
                    raise Invalid(_NO_FORM)
                return False
            try:
                self._parser.write(piece)
            except FormParserError:
                raise Invalid(_NO_FORM) from None
        return True

    async def _receive(self) -> bytes | None:
        try:
            async with asyncio.timeout(self._idle_s):
                return await anext(self._stream, None)
        except TimeoutError:
            raise Invalid(
                f"Nothing more came for {self._idle_s:g} s, and none of it was kept. Send it again."
            ) from None

    def _begin(self) -> None:
        self._headers = {}

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value.decode("utf-8", "replace")
        self._name.clear()
        self._value.clear()

    def _end(self) -> None:
        self._ended = True


def _part(headers: Mapping[str, str], content: AsyncIterator[bytes]) -> Part:
    disposition = headers.get("content-disposition", "")
    # Its options come back in latin-1, which has a byte for each character and none for ours.
    kind, options = parse_options_header(disposition.encode().decode("latin-1"))
    if kind != b"form-data" or b"name" not in options:
        raise Invalid(_NO_FORM)
    filename = options.get(b"filename")
    return Part(
        options[b"name"].decode("utf-8", "replace"),
        None if filename is None else filename.decode("utf-8", "replace"),
        content,
    )
