"""Google's Gemini API by its own SDK."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import httpx2
from google import genai
from google.genai import errors, types

from kijko.clients.llm import failures
from kijko.clients.llm.base import ModelAnswer, ModelCall, ModelFailure, Progress, Usage
from kijko.clients.llm.ending import finished

_NAME = "Google"
_NAMES = {"max_tokens": "max_output_tokens"}
_LIMITS: Final = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
_REFUSALS: Final = frozenset({"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE"})


class Google:
    """Gemini models with one API key."""

    def __init__(self, api_key: str, *, base_url: str | None, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._http = httpx2.AsyncClient(timeout=timeout_s, limits=_LIMITS)
        options = types.HttpOptions(
            base_url=base_url,
            timeout=int(timeout_s * 1000),
            retry_options=types.HttpRetryOptions(attempts=1),
            # Named, since else the SDK calls by aiohttp wherever that happens to be installed.
            httpx_async_client=self._http,
        )
        self._client = genai.Client(api_key=api_key, vertexai=False, http_options=options)

    async def run(self, call: ModelCall, progress: Progress | None = None) -> ModelAnswer:
        """One content, one answer."""
        progress = progress or Progress()
        config = _config(call)
        progress.ask("google", call.model)
        try:
            async with asyncio.timeout(self._timeout_s):
                was_refused = await self._stream(call, config, progress)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise failures.timeout(_NAME) from error
        except errors.UnknownApiResponseError as error:
            raise failures.garbage(_NAME) from error
        except errors.APIError as error:
            raise _of_error(error, begun=bool(progress.pieces or progress.usage)) from error
        except httpx2.TransportError as error:
            raise failures.lost(_NAME, connected=not isinstance(error, httpx2.ConnectError)) from error
        except failures.GARBAGE as error:
            raise failures.garbage(_NAME) from error
        if was_refused:
            raise failures.refused(_NAME)
        return finished(_NAME, call, progress)

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.aio.aclose()
        await self._http.aclose()

    async def _stream(self, call: ModelCall, config: types.GenerateContentConfig, progress: Progress) -> bool:
        """Answers whether the model would not answer."""
        was_refused = False
        stream = await self._client.aio.models.generate_content_stream(
            model=call.model, contents=call.prompt, config=config
        )
        async for chunk in stream:
            was_refused = _take(chunk, progress) or was_refused
        return was_refused


def _config(call: ModelCall) -> types.GenerateContentConfig:
    given = {_NAMES.get(name, name): value for name, value in call.parameters.items()}
    return types.GenerateContentConfig.model_validate(
        given | ({"system_instruction": call.system} if call.system else {})
    )


def _take(chunk: types.GenerateContentResponse, progress: Progress) -> bool:
    progress.model = chunk.model_version or progress.model
    if chunk.usage_metadata is not None:
        progress.count(_usage(chunk.usage_metadata))
    if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason is not None:
        return True
    was_refused = False
    for candidate in chunk.candidates or ():
        for part in (candidate.content.parts if candidate.content else None) or ():
            progress.say(None if part.thought else part.text)
        progress.whole = progress.whole or candidate.finish_reason is not None
        was_refused = was_refused or (candidate.finish_reason is not None and candidate.finish_reason.name in _REFUSALS)
    return was_refused


def _usage(said: types.GenerateContentResponseUsageMetadata) -> Usage:
    return Usage(
        said.prompt_token_count or 0,
        (said.candidates_token_count or 0) + (said.thoughts_token_count or 0),
        said.cached_content_token_count or 0,
    )


def _of_error(error: errors.APIError, *, begun: bool) -> ModelFailure:
    status = error.code if isinstance(error.code, int) and error.code >= 400 else 500
    return failures.of_status(
        _NAME, status, f"{error.status}: {error.message}", retry_after_s=_retry_after(error), ran=begun
    )


def _retry_after(error: errors.APIError) -> float | None:
    """Seconds of the header Retry-After, or of the RetryInfo (`retryDelay: "7s"`) that Google puts into the body."""
    headers: Mapping[str, str] = getattr(error.response, "headers", None) or {}
    if (said := failures.retry_after(headers.get("retry-after"))) is not None:
        return said
    inner: Any = error.details.get("error") if isinstance(error.details, dict) else None
    for each in (inner.get("details") if isinstance(inner, dict) else None) or ():
        if isinstance(each, dict) and isinstance(each.get("retryDelay"), str):
            return failures.retry_after(each["retryDelay"].removesuffix("s"))
    return None
