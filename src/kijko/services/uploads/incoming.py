"""What an upload brings, as it comes in: the edge that speaks HTTP gives it, part by part."""

from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a form. Its content is read before the next part is asked for; what is not read is lost."""

    field: str
    filename: str | None
    """None for a field that is no file."""
    content: AsyncIterator[bytes]
