"""Trying what may fail today and is tried again tomorrow."""

import logging
from collections.abc import Awaitable

from kijko.clients.keycloak import Refused, SignInUnavailable
from kijko.core.db.errors import DatabaseError

log = logging.getLogger(__name__)


async def attempt(what: str, work: Awaitable[object]) -> None:
    """Do it; when a part outside does not play along, a line in the log says that it waits for the next round."""
    try:
        await work
    except (SignInUnavailable, Refused, DatabaseError) as error:
        log.warning("sign-in: %s waits for the next round: %s", what, error)
