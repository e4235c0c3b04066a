"""Vectors of texts, by a model that speaks OpenAI's /v1/embeddings, wherever it stands."""

import asyncio
import importlib
from collections.abc import Sequence
from typing import Any, Final

from kijko.settings import Embedding as EmbeddingSettings

_NO_KEY: Final = "none"


class EmbeddingFailure(Exception):
    """No vectors came; the text says why. `passing`: it may work later."""

    def __init__(self, detail: str, *, passing: bool) -> None:
        super().__init__(detail)
        self.passing = passing


class Embeddings:
    """The model's client, made when it is first needed. One event loop's."""

    def __init__(self, settings: EmbeddingSettings) -> None:
        self.model: Final = settings.model
        """The model's name; None where the server has none: then nothing is ever asked."""
        self._settings = settings
        self._made: Any = None  # openai.AsyncOpenAI, which takes a second to import
        self._making = asyncio.Lock()

    async def embed(self, texts: Sequence[str], *, model: str, timeout_s: float) -> list[list[float]]:
        """A vector for each text, in their order, all of one length.

        Raises:
            EmbeddingFailure: the model does not answer in time, refuses, or answers something else.
        """
        client, openai = await self._client()
        asked: dict[str, Any] = {"dimensions": self._settings.dimensions} if self._settings.dimensions else {}
        try:
            async with asyncio.timeout(timeout_s):
                answer = await client.embeddings.create(
                    model=model, input=list(texts), encoding_format="float", **asked
                )
        except (TimeoutError, openai.APITimeoutError) as error:
            raise EmbeddingFailure(f"The embedding model took longer than {timeout_s:g} s.", passing=True) from error
        except openai.APIStatusError as error:
            passing = error.status_code in (408, 409, 429) or error.status_code >= 500
            said = f"The embedding model refused with {error.status_code}: {str(error.message)[:300]}"
            raise EmbeddingFailure(said, passing=passing) from error
        except openai.OpenAIError as error:
            raise EmbeddingFailure("The embedding model cannot be reached.", passing=True) from error
        vectors = [list(each.embedding) for each in sorted(answer.data, key=lambda one: one.index)]
        if len(vectors) != len(texts) or len({len(each) for each in vectors}) != 1 or not vectors[0]:
            raise EmbeddingFailure("The embedding model answered something else than a vector a text.", passing=False)
        return vectors

    async def close(self) -> None:
        """Closes its connections."""
        if self._made is not None:
            await self._made.close()

    async def _client(self) -> tuple[Any, Any]:
        async with self._making:
            openai = await asyncio.to_thread(importlib.import_module, "openai")
            if self._made is None:
                key = self._settings.api_key.get_secret_value() if self._settings.api_key else _NO_KEY
                self._made = openai.AsyncOpenAI(
                    api_key=key, base_url=self._settings.base_url, timeout=self._settings.timeout_s, max_retries=0
                )
        return self._made, openai
