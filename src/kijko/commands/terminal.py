"""Words for the person at the terminal."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NoReturn

import typer

from kijko.setting_errors import EXIT_CODE, SettingError


def show(text: str) -> None:
    """Print at once. A closed terminal is no reason to stop."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def say(text: str) -> None:
    """A line of progress, with the time of day."""
    show(f"{datetime.now().astimezone():%H:%M:%S}  {text}")


def fail(text: str, code: int = 1) -> NoReturn:
    """Say what is wrong and leave with this exit code."""
    with contextlib.suppress(OSError):
        print(f"kijko: {text}", file=sys.stderr, flush=True)
    raise typer.Exit(code)


@contextlib.contextmanager
def sentences(*kinds: type[Exception]) -> Iterator[None]:
    """Show errors of these kinds, and settings that cannot be right, as sentences instead of tracebacks."""
    from kijko.local.errors import BadSetting

    try:
        yield
    except (BadSetting, SettingError) as error:
        fail(str(error), EXIT_CODE)
    except kinds as error:
        fail(str(error))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows))
    return "\n".join(line.rstrip() for line in lines)
