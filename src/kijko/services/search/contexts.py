"""What `{{context}}` becomes: the best chunks of a project for a query, within a budget of tokens, each cited."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kijko.core.tenancy import OrgReader, SystemReader
from kijko.services.projects import access
from kijko.services.projects.errors import ProjectNotFound
from kijko.services.search import context_queries as queries
from kijko.services.search import vector_queries
from kijko.services.search.asking import asked
from kijko.services.search.packed import Block, blocks, chosen
from kijko.services.search.questions import Questions

_FEWEST: Final = 20
_MOST: Final = 2000
_SMALL: Final = 30
"""Tokens of a small chunk: so many are looked at as could fit if all were small."""


@dataclass(frozen=True, slots=True)
class Citation:
    """Which lines were given."""

    project_id: UUID
    repository: str
    path: str
    start_line: int
    end_line: int
    commit: str


@dataclass(frozen=True, slots=True)
class Context:
    """Text for a prompt, and what it holds; empty where nothing fits the query or the budget."""

    text: str
    citations: tuple[Citation, ...]


async def context(
    reader: SystemReader,
    questions: Questions,
    person: UUID,
    organization: UUID,
    project_id: UUID,
    query: str,
    max_tokens: int,
) -> Context:
    """The best chunks that together have at most `max_tokens` tokens, neighbours joined, the best first.

    Raises:
        ProjectNotFound: the person may not read the project now, or there is none.
    """
    found = asked(query)
    most = max(_FEWEST, min(max_tokens // _SMALL, _MOST))
    model = vector = None
    if questions.configured and not found.is_identifier:
        if not await reader.one(queries.READABLE, person, organization, project_id):
            raise ProjectNotFound
        model = await reader.first(vector_queries.MODEL_FOR_ANYBODY, project_id)
        vector = await questions.vector(model, query)
    readable, chunks = await reader.gather(
        queries.READABLE.bind_one(person, organization, project_id),
        queries.CHUNKS.bind(person, organization, project_id, found.terms, found.weights, most, model, vector),
    )
    if not readable:
        raise ProjectNotFound
    packed = blocks(chosen(chunks, max_tokens))
    return Context("\n\n".join(each.text for each in packed), _cited(project_id, packed))


async def own_context(
    reader: OrgReader, questions: Questions, project_id: UUID, query: str, max_tokens: int
) -> Context:
    """The same for the caller, in the active organization. Raises ProjectNotFound."""
    found = asked(query)
    most = max(_FEWEST, min(max_tokens // _SMALL, _MOST))
    model = vector = None
    if questions.configured and not found.is_identifier:
        actions, models = await reader.gather(access.ACTIONS.bind(project_id), vector_queries.MODEL.bind(project_id))
        access.check(actions, "read")
        model = models[0] if models else None
        vector = await questions.vector(model, query)
    actions, chunks = await reader.gather(
        access.ACTIONS.bind(project_id),
        queries.OWN_CHUNKS.bind(project_id, found.terms, found.weights, most, model, vector),
    )
    access.check(actions, "read")
    packed = blocks(chosen(chunks, max_tokens))
    return Context("\n\n".join(each.text for each in packed), _cited(project_id, packed))


def _cited(project_id: UUID, packed: Sequence[Block]) -> tuple[Citation, ...]:
    return tuple(
        Citation(project_id, each.repository, each.path, each.start_line, each.end_line, each.commit) for each in packed
    )
