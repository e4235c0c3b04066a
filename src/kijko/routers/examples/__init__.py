"""What operations answer, by example: one for each success that is JSON, in a module for each group of operations.

A test holds each to the shape of its answer. Nothing in them is anybody's: ids, addresses and numbers are made up.
"""

from collections.abc import Mapping
from typing import Any, Final

from kijko.routers.examples import auth, executions, keys, operations, organizations, projects, skills, sources

Example = Any  # JSON

_ALL: Final[Mapping[str, Example]] = {
    **auth.EXAMPLES,
    **organizations.EXAMPLES,
    **projects.EXAMPLES,
    **sources.EXAMPLES,
    **skills.EXAMPLES,
    **executions.EXAMPLES,
    **keys.EXAMPLES,
    **operations.EXAMPLES,
}


def example_of(operation_id: str, status: str) -> Example:
    """What the operation answers with that status.

    Raises:
        LookupError: there is no example of it. Write it in the module of its group.
    """
    for name in (f"{operation_id} {status}", operation_id):
        if name in _ALL:
            return _ALL[name]
    raise LookupError(f"{operation_id} has no example of its answer {status}. Write it in kijko.routers.examples.")
