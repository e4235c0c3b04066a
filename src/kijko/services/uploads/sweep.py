"""What the scheduler does for uploads: the store forgets what nothing names any more."""

import logging
from typing import Final

from kijko.clients.storage import Storage, StorageUnavailable
from kijko.core.tenancy import Tenants
from kijko.services.uploads import sweep_queries as queries

log = logging.getLogger(__name__)

_WHY: Final = "contents of deleted files, and of uploads that broke off, of every organization"


async def sweep(database: Tenants, storage: Storage) -> None:
    """Delete from the store what is due. Any number may run; what fails is tried again, later each time."""
    while found := await queries.due(database.system_reader(_WHY)):
        try:
            await storage.delete([each.storage_key for each in found])
        except StorageUnavailable:
            log.warning("uploads: %d contents wait for the store, which does not delete them", len(found))
            return
        async with database.system(_WHY) as tx:
            await queries.done(tx, [each.content_id for each in found])
