"""A stream that does not wait for ever for who reads it."""

import asyncio
from typing import Final

import structlog
from fastapi.responses import StreamingResponse
from starlette.types import Send

_SLOWEST_S: Final = 60.0
_log = structlog.get_logger(__name__)


class Patient(StreamingResponse):
    """A StreamingResponse whose reader has `slowest_s` for each part; then the connection is let go, the file cut."""

    slowest_s: float = _SLOWEST_S

    async def stream_response(self, send: Send) -> None:
        """The start, the parts, and the end, where the reader takes them."""

        async def in_time(message: dict[str, object]) -> None:
            async with asyncio.timeout(self.slowest_s):
                await send(message)

        try:
            await super().stream_response(in_time)  # type: ignore[arg-type]  # a message is what Starlette makes of it
        except TimeoutError:
            _log.info("stream.let_go", slowest_s=self.slowest_s)
        finally:  # at once: whoever reads no more has a place to give back
            close = getattr(self.body_iterator, "aclose", None)
            if close is not None:
                await close()
