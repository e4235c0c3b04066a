"""Search: the index of a project's chunks, and what is found in it.

Owns the tables search_indexes, search_segments, search_postings, search_embeddings and search_vectors. Invariants:
what an ingestion staged is read by nobody until it is published, with all of it; a search sees only projects that the
one who asks may read; what is found is there, in the lines that are told. How it works: docs/search.md.
"""

from typing import TYPE_CHECKING

from kijko.core.lazily import lazily

if TYPE_CHECKING:
    from kijko.services.search.analysis import analyse
    from kijko.services.search.contexts import Citation, Context, context, own_context
    from kijko.services.search.embedding import Embedder
    from kijko.services.search.listing import chunks, files
    from kijko.services.search.questions import Questions
    from kijko.services.search.searching import search
    from kijko.services.search.staging import discard, keep, publish, stage
    from kijko.services.search.upkeep import sweep

__all__ = [
    "Citation",
    "Context",
    "Embedder",
    "Questions",
    "analyse",
    "chunks",
    "context",
    "discard",
    "files",
    "keep",
    "own_context",
    "publish",
    "search",
    "stage",
    "sweep",
]

# What a process that reads files takes of this package brings nothing else along.
__getattr__ = lazily(
    __name__,
    {
        "analysis": "analyse",
        "contexts": "Citation Context context own_context",
        "embedding": "Embedder",
        "listing": "chunks files",
        "questions": "Questions",
        "searching": "search",
        "staging": "discard keep publish stage",
        "upkeep": "sweep",
    },
)
