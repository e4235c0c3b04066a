"""Anthropic's Messages API by its own SDK."""

from typing import Any

import anthropic

from kijko.clients.llm import failures
from kijko.clients.llm.base import ModelAnswer, ModelCall

_NAME = "Anthropic"
# The Messages API wants a bound on the answer; what a person does not set may be this long.
_MAX_TOKENS = 4096
# The SDK no longer names these, since the newest models take none of them; older ones do, and say so when not.
_SAMPLING = frozenset({"temperature", "top_p", "top_k"})


class Anthropic:
    """Claude models with one API key."""

    def __init__(self, api_key: str, *, base_url: str | None, timeout_s: float) -> None:
        self._client = anthropic.AsyncAnthropic(api_key=api_key, base_url=base_url, timeout=timeout_s, max_retries=0)

    async def run(self, call: ModelCall) -> ModelAnswer:
        """One message, one answer."""
        sampling = {name: value for name, value in call.parameters.items() if name in _SAMPLING}
        parameters: dict[str, Any] = {  # the SDK's own keyword arguments
            "max_tokens": _MAX_TOKENS,
            **{name: value for name, value in call.parameters.items() if name not in _SAMPLING},
        }
        if call.system:
            parameters["system"] = call.system
        try:
            message = await self._client.messages.create(
                model=call.model, messages=[{"role": "user", "content": call.prompt}], extra_body=sampling, **parameters
            )
        except anthropic.APITimeoutError as error:
            raise failures.timeout(_NAME) from error
        except anthropic.APIStatusError as error:
            after = failures.retry_after(error.response.headers.get("retry-after"))
            raise failures.of_status(_NAME, error.status_code, error.message, retry_after_s=after) from error
        except anthropic.APIConnectionError as error:
            raise failures.unreachable(_NAME) from error
        if message.stop_reason == "refusal":
            raise failures.refused(_NAME)
        usage = message.usage
        read, write = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
        return ModelAnswer(
            text="".join(block.text for block in message.content if block.type == "text"),
            provider="anthropic",
            model=message.model,
            prompt_tokens=usage.input_tokens + read + write,
            completion_tokens=usage.output_tokens,
            cache_read_tokens=read,
            cache_write_tokens=write,
        )

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.close()
