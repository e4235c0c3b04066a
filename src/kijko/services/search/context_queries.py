"""The statements behind `{{context}}`."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kijko.core.db import Query, Scalar

READABLE: Final = Scalar(bool, "select coalesce('read' = any(kijko.actions_of($1::uuid, $2::uuid, $3::uuid)), false)")
"""Whether a person may read a project of an organization now."""


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk with where it is from."""

    file_id: UUID
    ordinal: int
    start_byte: int
    end_byte: int
    repository: str
    """Its name; `uploads` for an uploaded file."""
    commit: str
    """The commit that was read; an uploaded file's sha256."""
    path: str
    language: str | None
    start_line: int
    end_line: int
    tokens: int
    content: str


CHUNKS: Final = Query(
    Found,
    """
    select file_id, ordinal, start_byte, end_byte, repository, commit, path, language, start_line, end_line, tokens,
      content
    from kijko.context_chunks(
      $1::uuid, $2::uuid, $3::uuid, $4::text[], $5::real[], $7::text, $8::text, $6::integer
    )
    """,
)
"""The best chunks, the best first; none where the person may not read the project."""

OWN_CHUNKS: Final = Query(
    Found,
    """
    select file_id, ordinal, start_byte, end_byte, repository, commit, path, language, start_line, end_line, tokens,
      content
    from kijko.my_context_chunks($1::uuid, $2::text[], $3::real[], $5::text, $6::text, $4::integer)
    """,
)
"""The same, for the caller."""
