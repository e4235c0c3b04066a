"""Who may what in a project, asked before it is done. The matrix is SQL's: `kijko.project_actions`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal
from uuid import UUID

from kijko.core.db import Query
from kijko.core.db.errors import Raised
from kijko.core.errors import Forbidden
from kijko.core.tenancy import OrgReader, OrgTx
from kijko.services.projects.errors import ProjectNotFound

Action = Literal["read", "audit", "source", "edit", "invite", "name_admin", "delete"]

ACTIONS: Final = Query(str, "select unnest(kijko.my_actions($1::uuid))")
"""What the caller may in a project, to be gathered with the statement that it is asked for."""

_INSUFFICIENT_PRIVILEGE: Final = "42501"
_GONE: Final = "KJ404"
_SAID: Final[dict[Action, str]] = {
    "read": "read it",
    "audit": "read its audit log",
    "source": "change its sources or ingest them",
    "edit": "change its name, settings or privacy",
    "invite": "change who is in it",
    "name_admin": "name or remove an admin",
    "delete": "delete it",
}


async def require(tx: OrgReader | OrgTx, project_id: UUID, action: Action) -> None:
    """Nothing, where the caller may do that.

    Raises:
        ProjectNotFound: the caller may not even read it, or there is none. Forbidden: their role does not allow it.
    """
    check(await tx.all(ACTIONS, project_id), action)


def check(actions: list[str], action: Action) -> None:
    """The same, of what ACTIONS gave. Raises ProjectNotFound or Forbidden."""
    if "read" not in actions:
        raise ProjectNotFound
    if action not in actions:
        raise _refusal(action)


@contextmanager
def told(action: Action) -> Iterator[None]:
    """Turns the database's own refusal inside into the sentence that says what the role does not allow.

    Raises:
        ProjectNotFound: the project, or the caller's way to it, went while this waited. Forbidden.
    """
    try:
        yield
    except Raised as error:
        if error.sqlstate == _GONE:
            raise ProjectNotFound from None
        if error.sqlstate == _INSUFFICIENT_PRIVILEGE:
            raise _refusal(action) from None
        raise


def _refusal(action: Action) -> Forbidden:
    return Forbidden(f"Your role in this project does not let you {_SAID[action]}. Ask one of its admins.")
