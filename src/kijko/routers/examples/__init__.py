"""What operations answer, by example: one for each success that is JSON, in a module for each group of operations.

A test holds each to the shape of its answer. Nothing in them is anybody's: ids, addresses and numbers are made up.
"""

from collections.abc import Mapping
from typing import Any, Final

from kijko.routers.examples import auth, executions, keys, operations, organizations, projects, skills, sources

Example = Any  # JSON

EXAMPLES: Final[Mapping[str, Example]] = {
    **auth.EXAMPLES,
    **organizations.EXAMPLES,
    **projects.EXAMPLES,
    **sources.EXAMPLES,
    **skills.EXAMPLES,
    **executions.EXAMPLES,
    **keys.EXAMPLES,
    **operations.EXAMPLES,
}
"""operation → its answer; `operation 202` where it has several."""


def example_of(operation_id: str, status: str) -> Example:
    """What the operation answers with that status; None where nobody wrote it, which a test notices."""
    return EXAMPLES.get(f"{operation_id} {status}", EXAMPLES.get(operation_id))
