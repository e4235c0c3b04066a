from tests.postgres import blank, copy, database, server

__all__ = ["blank", "copy", "database", "server"]
