"""OpenAI's chat completions by its own SDK."""

from typing import Any

import openai
from openai.types.chat import ChatCompletionMessageParam

from kijko.clients.llm import failures
from kijko.clients.llm.base import ModelAnswer, ModelCall

_NAME = "OpenAI"
# Our names to theirs; top_k is not theirs and is left out.
_NAMES = {
    "temperature": "temperature",
    "max_tokens": "max_completion_tokens",
    "top_p": "top_p",
    "stop_sequences": "stop",
}


def _messages(call: ModelCall) -> list[ChatCompletionMessageParam]:
    told: list[ChatCompletionMessageParam] = [{"role": "user", "content": call.prompt}]
    return [{"role": "system", "content": call.system}, *told] if call.system else told


class OpenAI:
    """GPT models with one API key."""

    def __init__(self, api_key: str, *, base_url: str | None, timeout_s: float) -> None:
        self._client = openai.AsyncOpenAI(api_key=api_key, base_url=base_url, timeout=timeout_s, max_retries=0)

    async def run(self, call: ModelCall) -> ModelAnswer:
        """One message, one answer."""
        parameters: dict[str, Any] = {  # the SDK's own keyword arguments
            _NAMES[name]: value for name, value in call.parameters.items() if name in _NAMES
        }
        try:
            answer = await self._client.chat.completions.create(
                model=call.model, messages=_messages(call), **parameters
            )
        except openai.APITimeoutError as error:
            raise failures.timeout(_NAME) from error
        except openai.APIStatusError as error:
            after = failures.retry_after(error.response.headers.get("retry-after"))
            raise failures.of_status(_NAME, error.status_code, error.message, retry_after_s=after) from error
        except openai.APIConnectionError as error:
            raise failures.unreachable(_NAME) from error
        if not answer.choices or answer.choices[0].finish_reason == "content_filter":
            raise failures.refused(_NAME)
        usage = answer.usage
        details = usage.prompt_tokens_details if usage else None
        return ModelAnswer(
            text=answer.choices[0].message.content or "",
            provider="openai",
            model=answer.model,
            prompt_tokens=usage.prompt_tokens if usage else 0,
            completion_tokens=usage.completion_tokens if usage else 0,
            cache_read_tokens=(details.cached_tokens or 0) if details else 0,
        )

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.close()
