from tests.postgres import blank, copy, database, server
from tests.spine.conftest import serve

__all__ = ["blank", "copy", "database", "serve", "server"]
