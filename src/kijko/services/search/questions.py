"""The vector of a question, where the project has vectors, the question is no name, and the model answers in time."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import structlog

from kijko.clients.embeddings import EmbeddingFailure, Embeddings

LONGEST: Final = 8000
"""Characters of a text that is sent to a model."""
_KEPT: Final = 1000
_log = structlog.get_logger(__name__)


class Questions:
    """Vectors of questions, the last thousand kept. One event loop's."""

    def __init__(self, embeddings: Embeddings, *, timeout_s: float) -> None:
        self._embeddings = embeddings
        self._timeout_s = timeout_s
        self._kept: OrderedDict[tuple[str, str], str] = OrderedDict()

    @property
    def configured(self) -> bool:
        """Whether there may be vectors at all."""
        return self._embeddings.model is not None

    async def vector(self, model: str | None, question: str) -> str | None:
        """As Postgres writes it; None without a model, and where it fails: then the words alone decide."""
        if model is None or not self.configured:
            return None
        key = (model, question)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        try:
            (found,) = await self._embeddings.embed([question[:LONGEST]], model=model, timeout_s=self._timeout_s)
        except EmbeddingFailure as error:
            _log.warning("search.question_without_vector", error=str(error))
            return None
        self._kept[key] = written(found)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]


def written(vector: Sequence[float]) -> str:
    """A vector as Postgres reads it."""
    return "[" + ",".join(f"{each:.7g}" for each in vector) + "]"
