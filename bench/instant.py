"""An OpenAI-wire stand-in that answers at once, in a process of its own: `python -m bench.instant PORT`.

It looks at nothing of a request but where it ends and whether it wants a stream, so that whoever is in front of it is
what is measured.
"""

import asyncio
import re
import sys
from typing import cast

import uvloop

_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_USAGE = b'{"prompt_tokens":12,"completion_tokens":2,"total_tokens":14}'
_WHOLE = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"gpt-5.4-mini","choices":[{"index":0,"message":{"role":'
    b'"assistant","content":"Hello there"},"finish_reason":"stop"}],"usage":' + _USAGE + b"}"
)
_HEAD = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-5.4-mini","choices":['
_STREAM = b"\n\n".join(
    [
        _HEAD + b'{"index":0,"delta":{"role":"assistant","content":"Hello there"},"finish_reason":null}]}',
        _HEAD + b'{"index":0,"delta":{},"finish_reason":"stop"}]}',
        _HEAD + b'],"usage":' + _USAGE + b"}",
        b"data: [DONE]\n\n",
    ]
)


def _answer(kind: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


_ANSWERS = {False: _answer(b"application/json", _WHOLE), True: _answer(b"text/event-stream", _STREAM)}


class _Server(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's own class
        self._got = b""

    def data_received(self, data: bytes) -> None:
        self._got += data
        while (end := self._got.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._got, 0, end)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self._got) < whole:
                return
            request, self._got = self._got[:whole], self._got[whole:]
            self._transport.write(_ANSWERS[b'"stream":true' in request.replace(b" ", b"")])


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    """Serves until it is ended."""
    uvloop.run(_serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
