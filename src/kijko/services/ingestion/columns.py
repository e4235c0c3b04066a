"""Columns as Postgres's array literals."""

from collections.abc import Iterable


def texts(values: Iterable[str | None]) -> str:
    """A text[] (or uuid[], jsonb[] …) literal. What Postgres cannot keep, a NUL or half a surrogate pair, becomes �."""
    return "{" + ",".join(map(_text, values)) + "}"


def numbers(values: Iterable[int]) -> str:
    """An integer[] or bigint[] literal."""
    return "{" + ",".join(map(str, values)) + "}"


def _keepable(value: str) -> str:
    """The same text, without what Postgres cannot keep."""
    if "\0" in value:
        value = value.replace("\0", "�")
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode()
    return value


def _text(value: str | None) -> str:
    if value is None:
        return "NULL"
    return '"' + _keepable(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
