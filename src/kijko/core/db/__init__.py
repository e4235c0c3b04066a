"""Postgres in as few round trips as it takes: statements travel in libpq's pipeline mode, under asyncio.

`Query`, `Json` and `Statement` are what to run, `Database` is where, `Reader` and `Tx` are how. Errors are in
`kijko.core.db.errors`. Why it is not a driver's own pool: docs/adr/0002-pipelined-postgres.md.
"""

from kijko.core.db.codec import Arg, Jsonb
from kijko.core.db.database import Database
from kijko.core.db.query import REGISTRY, Call, Context, Json, Query, Scalar, Statement
from kijko.core.db.reader import Reader
from kijko.core.db.tx import Tx

__all__ = [
    "REGISTRY",
    "Arg",
    "Call",
    "Context",
    "Database",
    "Json",
    "Jsonb",
    "Query",
    "Reader",
    "Scalar",
    "Statement",
    "Tx",
]
