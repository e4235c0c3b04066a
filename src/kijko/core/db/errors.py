"""What can go wrong between this process and Postgres, sorted by what a caller can do about it.

Everything derives from `DatabaseError`. Nothing of libpq or psycopg escapes this package.
"""

from typing import Final

from psycopg import pq

_Field = pq.DiagnosticField


class DatabaseError(Exception):
    """The root. `sqlstate` is Postgres's five-letter code, or None where no server spoke."""

    sqlstate: str | None = None

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join((type(self).__doc__ or "").split()))


class DatabaseUnavailable(DatabaseError):
    """The database cannot be reached or went away. Nothing was kept; try again in a moment."""


class AcquireTimeout(DatabaseUnavailable):
    """Every connection stayed in use for the whole of the allowed wait. Try again in a moment."""


class CommitUnknown(DatabaseError):
    """The connection broke during a commit, so the work may or may not have been kept. Look before you repeat it."""


class StatementTimeout(DatabaseError):
    """The statement ran longer than allowed and was undone. Ask for less at once."""


class SerializationFailure(DatabaseError):
    """The transaction collided with another one (a deadlock, for example) and was rolled back. Run it again."""


class StaleStatement(SerializationFailure):
    """The schema changed under a prepared statement in the middle of a transaction. Run the transaction again."""


class TransactionAborted(DatabaseError):
    """An earlier statement of this transaction failed, so nothing is kept. Let its error through or use a savepoint."""


class ConstraintViolation(DatabaseError):
    """A constraint refused the row. `name` is the constraint's; `column` is known for not-null only.

    The text is Postgres's own and may quote the row's values: map `name` to an error of your own.
    """

    def __init__(self, message: str, *, name: str | None, sqlstate: str, table: str | None, column: str | None) -> None:
        super().__init__(message)
        self.name: Final = name
        self.sqlstate = sqlstate
        self.table: Final = table
        self.column: Final = column


class Raised(DatabaseError):
    """Any other error of the server, among them `raise … using errcode` in a function: branch on `sqlstate`."""

    def __init__(self, message: str, *, sqlstate: str, detail: str | None, hint: str | None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message: Final = message
        self.detail: Final = detail
        self.hint: Final = hint


class InvalidArgument(DatabaseError, ValueError):
    """A value that Postgres cannot hold, such as a NUL character in a text. Remove it and try again."""


class NoRow(DatabaseError, LookupError):
    """`one` was asked for exactly one row and there was none."""


class TooManyRows(DatabaseError, LookupError):
    """`one` or `first` was asked for at most one row and there were several."""


class MisuseError(DatabaseError, RuntimeError):
    """The caller's code is wrong: a transaction used after its end or by two tasks at once, a closed database."""


_KINDS: Final[dict[str, type[DatabaseError]]] = {
    "40001": SerializationFailure,
    "40P01": SerializationFailure,
    "57014": StatementTimeout,
    "22021": InvalidArgument,
    "22P05": InvalidArgument,
    "25P02": TransactionAborted,
    "26000": StaleStatement,
    **dict.fromkeys(("57P01", "57P02", "57P03", "57P05", "25P03", "25P04"), DatabaseUnavailable),
    **dict.fromkeys(("08000", "08001", "08003", "08004", "08006"), DatabaseUnavailable),
    **dict.fromkeys(("53000", "53100", "53200", "53300", "53400"), DatabaseUnavailable),
}


def from_result(result: pq.abc.PGresult) -> DatabaseError:
    """The exception for a result that carries an error."""

    def field(code: pq.DiagnosticField) -> str | None:
        value = result.error_field(code)
        return None if value is None else value.decode("utf-8", "replace")

    sqlstate = field(_Field.SQLSTATE) or "08006"
    message = field(_Field.MESSAGE_PRIMARY) or result.get_error_message()
    if sqlstate.startswith("23"):
        return ConstraintViolation(
            message,
            name=field(_Field.CONSTRAINT_NAME),
            sqlstate=sqlstate,
            table=field(_Field.TABLE_NAME),
            column=field(_Field.COLUMN_NAME),
        )
    kind = _KINDS.get(sqlstate)
    if sqlstate == "0A000" and "cached plan" in message:
        kind = StaleStatement
    if kind is None:
        return Raised(message, sqlstate=sqlstate, detail=field(_Field.MESSAGE_DETAIL), hint=field(_Field.MESSAGE_HINT))
    error = kind()
    error.args = (f"{error} (Postgres: {message})",)
    error.sqlstate = sqlstate
    return error
