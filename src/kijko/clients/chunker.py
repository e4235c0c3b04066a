"""A project's own chunker: an https webhook that gets a file and answers where to cut it.

It is somebody's server at an address that people gave: `clients.outbound` says where it may be, redirects are checked
like the first address, its answer is small, whole and in time, or it is none.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self
from uuid import uuid4

import httpx
import orjson
from standardwebhooks.webhooks import Webhook

from kijko.clients import outbound
from kijko.core.addresses import AddressRefused, Resolver

_REDIRECTS: Final = 3
_REDIRECTED: Final = frozenset({307, 308})
_ANSWER_BYTES: Final = 1_000_000
_BYTES_A_LINE: Final = 100
_MOST_BYTES: Final = 8_000_000
_GIVEN_UP_AFTER: Final = 5
_KIND: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_LONGEST_SYMBOL: Final = 200

Cut = tuple[int, int, str, str | None]
"""First line, last line, kind, symbol."""


class NoCuts(Exception):
    """The webhook did not cut the file. The text says why, for the project's people."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A project's webhook. It can be pickled.

    Args:
        keys: it is signed with each of them; the newest first.
        allowed: `host:port` pairs that may be private addresses and speak http.
        timeout_s: for one file, redirects and the whole answer with it.
    """

    url: str
    keys: tuple[bytes, ...] = field(repr=False)
    allowed: frozenset[str] = frozenset()
    timeout_s: float = 20


class Chunker:
    """Asks one webhook. After five failures in a row it is not asked any more."""

    def __init__(self, hook: Hook, *, resolver: Resolver | None = None) -> None:
        self._hook = hook
        self._http = outbound.client(allowed=hook.allowed, timeout_s=hook.timeout_s, resolver=resolver)
        self._failures = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def cuts(self, path: str, language: str | None, text: str, lines: int, budget: int) -> list[Cut]:
        """Where it cuts that file: all of its lines, in order.

        Raises:
            NoCuts: it did not answer, or not so.
        """
        if self._failures >= _GIVEN_UP_AFTER:
            raise NoCuts(f"it failed {_GIVEN_UP_AFTER} times in a row and was not asked again")
        body = orjson.dumps(
            {"path": path, "language": language, "content": text, "lines": lines, "maxTokens": budget}, default=str
        )
        try:
            async with asyncio.timeout(self._hook.timeout_s):
                answer = await self._post(body, min(_ANSWER_BYTES + _BYTES_A_LINE * lines, _MOST_BYTES))
            found = read_answer(answer, lines)
        except TimeoutError:
            self._failures += 1
            raise NoCuts(f"it did not answer within {self._hook.timeout_s:g} s") from None
        except AddressRefused as error:
            self._failures += 1
            raise NoCuts(f"its address is refused: {error}") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            self._failures += 1
            raise NoCuts("it could not be reached") from None
        except NoCuts:
            self._failures += 1
            raise
        self._failures = 0
        return found

    async def _post(self, body: bytes, most: int) -> bytes:
        url = httpx.URL(self._hook.url)
        for _ in range(_REDIRECTS + 1):
            headers = {
                "Content-Type": "application/json",
                "Accept": "application/json",
                **signed(self._hook.keys, body),
            }
            async with self._http.stream("POST", url, content=body, headers=headers) as response:
                if response.status_code in _REDIRECTED and "location" in response.headers:
                    url = url.join(response.headers["location"])
                    continue
                if response.status_code != httpx.codes.OK:
                    raise NoCuts(f"it answered with the status {response.status_code}")
                return await _body(response, most)
        raise NoCuts("it redirects again and again")


async def _body(response: httpx.Response, most: int) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise NoCuts("its answer is compressed, which was not asked for")
    found = bytearray()
    async for part in response.aiter_raw():
        found += part
        if len(found) > most:
            raise NoCuts(f"its answer has more than {most:,} bytes")
    return bytes(found)


def signed(keys: Sequence[bytes], body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks: an id, the time, and a signature with each key."""
    message, now = f"msg_{uuid4().hex}", datetime.now(UTC)
    signatures = " ".join(Webhook(key).sign(message, now, body.decode()) for key in keys)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signatures,
    }


def read_answer(answer: bytes, lines: int) -> list[Cut]:
    """The cuts that an answer tells.

    Raises:
        NoCuts: it is not `{"chunks": [{"startLine", "endLine", "kind"?, "symbol"?}]}`, or they are not each line once,
            in order.
    """
    try:
        told = orjson.loads(answer)
    except orjson.JSONDecodeError:
        raise NoCuts("its answer is no JSON") from None
    chunks = told.get("chunks") if isinstance(told, dict) else None
    if not isinstance(chunks, list) or not chunks or len(chunks) > lines:
        raise NoCuts("its answer has no list of chunks, or more of them than the file has lines")
    found: list[Cut] = []
    expected = 1
    for number, chunk in enumerate(chunks, 1):
        cut = _cut(chunk)
        if cut is None or cut[0] != expected or not expected <= cut[1] <= lines:
            raise NoCuts(f"chunk {number} of its answer does not begin at line {expected} and end inside of the file")
        found.append(cut)
        expected = cut[1] + 1
    if expected != lines + 1:
        raise NoCuts(f"its chunks end at line {expected - 1} of {lines}")
    return found


def _cut(chunk: Any) -> Cut | None:  # whatever JSON was answered
    if not isinstance(chunk, dict):
        return None
    first, last = chunk.get("startLine"), chunk.get("endLine")
    if type(first) is not int or type(last) is not int:
        return None
    kind, symbol = chunk.get("kind"), chunk.get("symbol")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        kind = "code"
    if not isinstance(symbol, str) or not symbol.isprintable():
        symbol = None
    return first, last, kind, symbol[:_LONGEST_SYMBOL] or None if symbol is not None else None
