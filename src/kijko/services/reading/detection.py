"""Which language a file is in: by its name, then its ending, then its first line; a few endings by what is in it."""

import re
from typing import Final

from kijko.services.reading.languages import ALIASES, BY_NAME, LANGUAGES, Language

_HEAD: Final = 65_536
_BY_FILE_NAME: Final = {name: each for each in LANGUAGES for name in each.names.split()}
_BY_SUFFIX: Final = {suffix: each for each in LANGUAGES for suffix in each.suffixes.split()}
_BY_SHEBANG: Final = {program: each for each in LANGUAGES for program in each.shebangs.split()}
_SHEBANG: Final = re.compile(
    rb"#!\s*(?:\S*/)?env\s+(?:-\S+\s+)*(?:\w+=\S*\s+)*(?:\S*/)?([\w+-]+)|#!\s*(?:\S*/)?([\w+-]+)"
)
_CPP: Final = re.compile(
    rb"^\s*(?:class\s+\w|namespace\b|template\s*<|using\s+\w|public:|private:)|\w::\w", re.MULTILINE
)
_OBJC: Final = re.compile(rb"^\s*(?:@(?:interface|implementation|protocol|class|import)\b|#import\b)", re.MULTILINE)


def named(word: str) -> Language | None:
    """The language that people call so."""
    lower = word.lower()
    return BY_NAME.get(ALIASES.get(lower, lower))


def by_path(path: str) -> Language | None:
    """The language that a file's name tells."""
    name = path.rpartition("/")[2]
    found = _BY_FILE_NAME.get(name)
    if found is not None:
        return found
    stem, dot, suffix = name.rpartition(".")
    if dot and stem:
        return _BY_SUFFIX.get(suffix.lower())
    return _BY_FILE_NAME.get(stem) if dot else None


def detect(path: str, data: bytes) -> Language | None:
    """The language of a file with that content; None is text of no known kind."""
    name = path.rpartition("/")[2].lower()
    if name.endswith(".h"):
        return BY_NAME[_header(data[:_HEAD])]
    if name.endswith(".m"):
        return BY_NAME["objective-c"] if _OBJC.search(data, 0, _HEAD) else None
    found = by_path(path)
    if found is not None:
        return found
    if name.startswith("dockerfile."):
        return BY_NAME["dockerfile"]
    return _by_shebang(data) if data.startswith(b"#!") else None


def _header(head: bytes) -> str:
    if _OBJC.search(head):
        return "objective-c"
    return "cpp" if _CPP.search(head) else "c"


def _by_shebang(data: bytes) -> Language | None:
    match = _SHEBANG.match(data, 0, 200)
    if match is None:
        return None
    program = (match[1] or match[2]).decode("ascii", "replace")
    return _BY_SHEBANG.get(program) or _BY_SHEBANG.get(program.rstrip("0123456789.-"))
