"""OpenAI's chat completions by its own SDK."""

from typing import Any

import httpx2
import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from kijko.clients.llm import failures
from kijko.clients.llm.base import ModelAnswer, ModelCall, Progress, Usage
from kijko.clients.llm.ending import finished

_NAME = "OpenAI"
# Our names to theirs; top_k is not theirs and is left out.
_NAMES = {
    "temperature": "temperature",
    "max_tokens": "max_completion_tokens",
    "top_p": "top_p",
    "stop_sequences": "stop",
}


class OpenAI:
    """GPT models with one API key."""

    def __init__(self, api_key: str, *, base_url: str | None, timeout_s: float) -> None:
        self._client = openai.AsyncOpenAI(api_key=api_key, base_url=base_url, timeout=timeout_s, max_retries=0)

    async def run(self, call: ModelCall, progress: Progress | None = None) -> ModelAnswer:
        """One message, one answer."""
        progress = progress or Progress()
        progress.ask("openai", call.model)
        try:
            was_refused = await self._stream(call, progress)
        except (openai.APITimeoutError, httpx2.TimeoutException) as error:
            raise failures.timeout(_NAME) from error
        except openai.APIStatusError as error:
            after = failures.retry_after(error.response.headers.get("retry-after"))
            said = f"{error.code or ''} {error.message}"
            raise failures.of_status(_NAME, error.status_code, said, retry_after_s=after) from error
        except openai.APIConnectionError as error:
            raise failures.lost(_NAME, connected=not isinstance(error.__cause__, httpx2.ConnectError)) from error
        except httpx2.TransportError as error:
            raise failures.cut(_NAME) from error
        except openai.APIResponseValidationError as error:
            raise failures.garbage(_NAME) from error
        except openai.APIError as error:  # an error in a stream that began well
            raise failures.of_name(_NAME, error.code or error.type, error.message) from error
        except failures.GARBAGE as error:
            raise failures.garbage(_NAME) from error
        if was_refused:
            raise failures.refused(_NAME)
        return finished(_NAME, call, progress)

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.close()

    async def _stream(self, call: ModelCall, progress: Progress) -> bool:
        """Answers whether the model would not answer."""
        was_refused = False
        stream = await self._client.chat.completions.create(
            model=call.model,
            messages=_messages(call),
            stream=True,
            stream_options={"include_usage": True},
            **_parameters(call),
        )
        async with stream:
            async for chunk in stream:
                was_refused = _take(chunk, progress) or was_refused
        return was_refused


def _parameters(call: ModelCall) -> dict[str, Any]:  # the SDK's own keyword arguments
    return {_NAMES[name]: value for name, value in call.parameters.items() if name in _NAMES}


def _messages(call: ModelCall) -> list[ChatCompletionMessageParam]:
    told: list[ChatCompletionMessageParam] = [{"role": "user", "content": call.prompt}]
    return [{"role": "system", "content": call.system}, *told] if call.system else told


def _take(chunk: ChatCompletionChunk, progress: Progress) -> bool:
    progress.model = chunk.model or progress.model
    if chunk.usage is not None:
        progress.count(_usage(chunk.usage))
    was_refused = False
    for choice in chunk.choices:
        progress.say(choice.delta.content)
        progress.whole = progress.whole or choice.finish_reason is not None
        was_refused = was_refused or choice.finish_reason == "content_filter" or bool(choice.delta.refusal)
    return was_refused


def _usage(said: CompletionUsage) -> Usage:
    cached = said.prompt_tokens_details.cached_tokens if said.prompt_tokens_details else 0
    return Usage(said.prompt_tokens, said.completion_tokens, cached or 0)
