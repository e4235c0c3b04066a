"""Google's Gemini API by its own SDK."""

import asyncio

import httpx2
from google import genai
from google.genai import errors, types

from kijko.clients.llm import failures
from kijko.clients.llm.base import ModelAnswer, ModelCall

_NAME = "Google"
_NAMES = {"max_tokens": "max_output_tokens"}


class Google:
    """Gemini models with one API key."""

    def __init__(self, api_key: str, *, base_url: str | None, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        options = types.HttpOptions(
            base_url=base_url, timeout=int(timeout_s * 1000), retry_options=types.HttpRetryOptions(attempts=1)
        )
        self._client = genai.Client(api_key=api_key, vertexai=False, http_options=options)

    async def run(self, call: ModelCall) -> ModelAnswer:
        """One content, one answer."""
        config = types.GenerateContentConfig.model_validate(
            {_NAMES.get(name, name): value for name, value in call.parameters.items()}
            | ({"system_instruction": call.system} if call.system else {})
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._client.aio.models.generate_content(
                    model=call.model, contents=call.prompt, config=config
                )
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise failures.timeout(_NAME) from error
        except errors.APIError as error:
            raise failures.of_status(_NAME, error.code, error.message or "") from error
        except (OSError, httpx2.TransportError) as error:
            raise failures.unreachable(_NAME) from error
        if not answer.candidates or answer.text is None:
            raise failures.refused(_NAME)
        usage = answer.usage_metadata or types.GenerateContentResponseUsageMetadata()
        return ModelAnswer(
            text=answer.text,
            provider="google",
            model=answer.model_version or call.model,
            prompt_tokens=usage.prompt_token_count or 0,
            completion_tokens=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
            cache_read_tokens=usage.cached_content_token_count or 0,
        )

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.aio.aclose()
