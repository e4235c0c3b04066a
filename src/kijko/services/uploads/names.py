"""What an uploaded file may be called: a path inside its project, and nothing that leads out of it."""

import unicodedata
from typing import Final

from kijko.services.uploads.refusal import Refused

_LONGEST: Final = 1000
_LONGEST_PART: Final = 255
_UNWANTED: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, halves of characters, line ends."""
_BROKEN: Final = "\N{REPLACEMENT CHARACTER}"
_OVERRIDES: Final = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""What shows a name in another order than it has, so that `exe.txt` is none."""


def plain(name: str) -> str:
    """The name with one kind of slash, and without the ./ with which many archivers begin one."""
    return unicodedata.normalize("NFC", name).replace("\\", "/").removeprefix("./")


def clean(name: str) -> str:
    """The name as it is kept: parts between slashes, accents composed, so that the same name replaces.

    Raises:
        Refused: it is none that can be kept.
    """
    path = plain(name)
    if not path.strip():
        raise Refused("The file has no name.")
    if len(path) > _LONGEST:
        raise Refused(f"The name is longer than {_LONGEST} characters.")
    if _BROKEN in path or any(each in _OVERRIDES or unicodedata.category(each) in _UNWANTED for each in path):
        raise Refused("The name has characters that cannot be kept, such as control characters.")
    if path.startswith("/") or path[1:2] == ":":
        raise Refused("The name begins at the root of a disk. Send a path inside the project.")
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise Refused("The name leads out of the project or through empty folders. Send a plain path.")
    if any(len(part.encode()) > _LONGEST_PART for part in parts):
        raise Refused(f"A part of the name is longer than {_LONGEST_PART} bytes.")
    return path


def shown(name: str) -> str:
    """A name that may be none, as it can be told: short, and without what a terminal or a log would obey."""
    plain = "".join(_BROKEN if each in _OVERRIDES or unicodedata.category(each) in _UNWANTED else each for each in name)
    return plain if len(plain) <= _LONGEST else plain[:_LONGEST] + "…"


def suffix(name: str) -> str:
    """What follows the last dot of the last part, in small letters; empty where nothing does."""
    stem, dot, end = name.rpartition("/")[2].rpartition(".")
    return end.lower() if dot and stem else ""


def claim(names: set[str], name: str) -> None:
    """Note a name of this upload. Raises Refused: it has had one of that name."""
    if name in names:
        raise Refused("The upload has this name twice; the first was taken.")
    names.add(name)
