"""Finding the chunks of a project that answer a question."""

from typing import Final
from uuid import UUID

import orjson

from kijko.core.errors import Invalid
from kijko.core.tenancy import OrgReader
from kijko.services.projects import access
from kijko.services.search import queries, vector_queries
from kijko.services.search.asking import asked
from kijko.services.search.joining import Result, results
from kijko.services.search.questions import Questions

LONGEST_QUERY: Final = 1000
_LOOKED: Final = 60
"""Chunks that are looked at: neighbours among them become one result."""


async def search(reader: OrgReader, questions: Questions, project_id: UUID, query: str, *, limit: int) -> bytes:
    """The best chunks as the wire's JSON, a list of SearchResult, the best first; empty where nothing fits.

    Words decide, and where the project has vectors these too, but not about a name: there vectors only confuse.

    Raises:
        ProjectNotFound: there is no such project that the caller may read. Invalid: there is no question.
    """
    text = query.strip()
    if not 1 <= len(text) <= LONGEST_QUERY:
        raise Invalid(f"q must have 1 to {LONGEST_QUERY:,} characters besides spaces around it.", field="q")
    found = asked(text)
    model = vector = None
    if questions.configured and not found.is_identifier:
        actions, models = await reader.gather(access.ACTIONS.bind(project_id), vector_queries.MODEL.bind(project_id))
        access.check(actions, "read")
        model = models[0] if models else None
        vector = await questions.vector(model, text)
    looked = max(_LOOKED, 3 * limit)
    actions, chunks = await reader.gather(
        access.ACTIONS.bind(project_id),
        queries.SEARCH.bind(project_id, found.terms, found.weights, looked, model, vector),
    )
    access.check(actions, "read")
    return orjson.dumps([_wire(each) for each in results(chunks, limit)])


def _wire(result: Result) -> dict[str, object]:
    return {
        "repositoryId": result.repository_id,
        "repositoryName": result.repository_name,
        "uploadId": result.upload_id,
        "path": result.path,
        "startLine": result.start_line,
        "endLine": result.end_line,
        "content": result.content,
        "score": round(result.score, 4),
    }
