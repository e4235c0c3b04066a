"""Anthropic's Messages API by its own SDK."""

from collections.abc import Mapping
from typing import Any

import anthropic
import httpx2
from anthropic.types import RawMessageStreamEvent

from kijko.clients.llm import failures
from kijko.clients.llm.base import ModelAnswer, ModelCall, ModelFailure, Progress, Usage
from kijko.clients.llm.ending import finished

_NAME = "Anthropic"
# The Messages API wants a bound on the answer; what a person does not set may be this long.
_MAX_TOKENS = 4096
# The SDK no longer names these, since the newest models take none of them; older ones do, and say so when not.
_SAMPLING = frozenset({"temperature", "top_p", "top_k"})


class Anthropic:
    """Claude models with one API key."""

    def __init__(self, api_key: str, *, base_url: str | None, timeout_s: float) -> None:
        self._client = anthropic.AsyncAnthropic(api_key=api_key, base_url=base_url, timeout=timeout_s, max_retries=0)

    async def run(self, call: ModelCall, progress: Progress | None = None) -> ModelAnswer:
        """One message, one answer."""
        progress = progress or Progress()
        progress.ask("anthropic", call.model)
        try:
            stopped = await self._stream(call, progress)
        except (anthropic.APITimeoutError, httpx2.TimeoutException) as error:
            raise failures.timeout(_NAME) from error
        except anthropic.APIStatusError as error:
            raise _of_status(error) from error
        except anthropic.APIConnectionError as error:
            raise failures.lost(_NAME, connected=not isinstance(error.__cause__, httpx2.ConnectError)) from error
        except anthropic.APIResponseValidationError as error:
            raise failures.garbage(_NAME) from error
        except httpx2.TransportError as error:
            raise failures.cut(_NAME) from error
        except failures.GARBAGE as error:
            raise failures.garbage(_NAME) from error
        if stopped == "refusal":
            raise failures.refused(_NAME)
        return finished(_NAME, call, progress)

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.close()

    async def _stream(self, call: ModelCall, progress: Progress) -> str | None:
        """Answers why the model stopped."""
        stopped: str | None = None
        stream = await self._client.messages.create(
            model=call.model,
            messages=[{"role": "user", "content": call.prompt}],
            stream=True,
            extra_body={name: value for name, value in call.parameters.items() if name in _SAMPLING},
            **_parameters(call),
        )
        async with stream:
            async for event in stream:
                stopped = _take(event, progress) or stopped
        return stopped


def _parameters(call: ModelCall) -> dict[str, Any]:  # the SDK's own keyword arguments
    given = {name: value for name, value in call.parameters.items() if name not in _SAMPLING}
    return {"max_tokens": _MAX_TOKENS, **given, **({"system": call.system} if call.system else {})}


def _take(event: RawMessageStreamEvent, progress: Progress) -> str | None:
    match event.type:
        case "message_start":
            progress.model = event.message.model or progress.model
            progress.count(_usage(event.message.usage.to_dict(), None))
        case "content_block_delta" if event.delta.type == "text_delta":
            progress.say(event.delta.text)
        case "message_delta":
            progress.count(_usage(event.usage.to_dict(), progress.usage))
            return event.delta.stop_reason
        case "message_stop":
            progress.whole = True
    return None


def _usage(said: Mapping[str, Any], before: Usage | None) -> Usage:
    """The tokens told, over those told before: the last event need not repeat what the first one said."""
    read, write = said.get("cache_read_input_tokens"), said.get("cache_creation_input_tokens")
    read = read if read is not None else (before.cache_read if before else 0)
    write = write if write is not None else (before.cache_write if before else 0)
    fresh = said.get("input_tokens")
    if fresh is None:
        fresh = before.prompt - before.cache_read - before.cache_write if before else 0
    if not all(type(one) is int and one >= 0 for one in (fresh, read, write)):
        return Usage(-1, 0)  # none that can be true
    return Usage(fresh + read + write, said.get("output_tokens") or 0, read, write)


def _of_status(error: anthropic.APIStatusError) -> ModelFailure:
    if error.status_code < 400:  # an event `error` in a stream that began well
        told = error.body if isinstance(error.body, dict) else {}
        inner = told.get("error")
        name = inner.get("type") if isinstance(inner, dict) else None
        return failures.of_name(_NAME, name, error.message)
    after = failures.retry_after(error.response.headers.get("retry-after"))
    return failures.of_status(_NAME, error.status_code, error.message, retry_after_s=after)
