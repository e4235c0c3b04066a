"""Cutting prose by its headings: a section with what is under it; the symbol is the path of headings."""

import re
from typing import Final

from kijko.services.reading.cutting import Cutter

_HEADING: Final = re.compile(rb"^(?:(#{1,6})[ \t]+([^\n]*)|(```|~~~)[^\n]*)$", re.MULTILINE)
_CRUMB: Final = 0.1
"""Of the budget: a section shorter than this goes with the next one."""
_LONGEST: Final = 200


def cut(cutter: Cutter) -> None:
    """Put all of the text into the cutter."""
    data, crumb = cutter.data, cutter.limit(_CRUMB)
    path = [""] * 7
    begin, symbol = 0, ""
    for at, depth, title in _headings(data):
        if at - begin > crumb:
            cutter.put(begin, at, "section" if symbol else "text", symbol or None)
            begin, symbol = at, ""
        path[depth:] = [title] + [""] * (6 - depth)
        symbol = symbol or " > ".join(filter(None, path))[:_LONGEST]
    cutter.put(begin, len(data), "section" if symbol else "text", symbol or None)


def _headings(data: bytes) -> list[tuple[int, int, str]]:
    """Where headings stand, how deep they are and what they say; what stands in fenced code is none."""
    found, fence = [], b""
    for match in _HEADING.finditer(data):
        if match[3]:
            fence = b"" if fence == match[3] else fence or match[3]
        elif not fence:
            title = b" ".join(match[2].rstrip(b"# \t\r").split()).decode("utf-8", "replace")
            found.append((match.start(), len(match[1]), title))
    return found
