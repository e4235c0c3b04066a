"""What git's check of objects (fsck) may say of a repository that is taken all the same."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

# What old and careless tools wrote, and names that are refused when they are read (`objects.unsafe`): none of it can
# do harm where nothing is checked out. All else that fsck finds is a reason not to take the pack.
FORGIVEN: Final = (
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badName",
    "badTimezone",
    "emptyName",
    "gitattributesBlob",
    "gitattributesLarge",
    "gitattributesLineLength",
    "gitattributesMissing",
    "gitattributesSymlink",
    "gitignoreSymlink",
    "gitmodulesBlob",
    "gitmodulesLarge",
    "gitmodulesMissing",
    "gitmodulesName",
    "gitmodulesParse",
    "gitmodulesPath",
    "gitmodulesSymlink",
    "gitmodulesUpdate",
    "gitmodulesUrl",
    "hasDot",
    "hasDotdot",
    "hasDotgit",
    "mailmapSymlink",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "nulInCommit",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)
_SAID: Final = re.compile(r"error: object [0-9a-f]+: (\w+): .*", re.ASCII)
_MARK: Final = "unchecked"


def forgivable(said: Sequence[str]) -> bool:
    """Whether git has refused objects, and only for what is forgiven."""
    found = [match[1] for each in said if (match := _SAID.fullmatch(each))]
    return bool(found) and set(found) <= set(FORGIVEN)


@contextmanager
def unchecked(folder: Path) -> Iterator[None]:
    """A repository into which comes what was not checked; it stays marked where an error ends the block."""
    mark = folder / _MARK
    mark.touch()
    yield
    mark.unlink()


def is_unchecked(folder: Path) -> bool:
    """Whether it holds what was never checked."""
    return (folder / _MARK).exists()
