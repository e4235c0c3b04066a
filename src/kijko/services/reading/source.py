"""A file's bytes as text in UTF-8, with the way back: where a place in the text stands in the file.

UTF-8 is taken as it is. UTF-16 is told by its mark. What is no UTF-8 is UTF-8 with a few wrong bytes (each becomes
U+FFFD) or, where most of what is not ASCII is wrong, Windows' Western encoding. Never an error.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

_WIDE: Final = re.compile("[^\x00-\x7f]")
_SHARE: Final = 0.5
"""Of all that is not ASCII: with more wrong bytes than this it is taken for no UTF-8 at all."""


@dataclass(frozen=True, slots=True)
class Source:
    """`data` is UTF-8. `at` leads from a place in it to the place in the file.

    A place is its own number of `unit`s from `start`, and `shifts[i]` more from `places[i]` on.
    """

    data: bytes
    size: int
    """Of the file."""
    start: int = 0
    unit: int = 1
    places: Sequence[int] = field(default=(), repr=False)
    shifts: Sequence[int] = field(default=(), repr=False)

    def at(self, place: int) -> int:
        """Where that stands in the file; the beginning and the end are the file's own."""
        if place <= 0:
            return 0
        if place >= len(self.data):
            return self.size
        index = bisect_right(self.places, place)
        shift = self.shifts[index - 1] if index else 0
        return min(self.start + self.unit * place + shift, self.size)


def decode(content: bytes) -> Source:
    """The file as text."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _utf16(content)
    start = 3 if content.startswith(b"\xef\xbb\xbf") else 0
    body = content[start:] if start else content
    if body.isascii():
        return Source(body, len(content), start)
    try:
        body.decode()
    except UnicodeDecodeError:
        return _mended(body, len(content), start)
    return Source(body, len(content), start)


def _utf16(content: bytes) -> Source:
    encoding = "utf-16-le" if content.startswith(b"\xff\xfe") else "utf-16-be"
    text = content[2:].decode(encoding, "replace")
    data, places, shifts, shift = text.encode(), [], [], 0
    place = last = 0
    for match in _WIDE.finditer(text):
        char = match[0]
        wide = len(char.encode())
        place += match.start() - last
        last = match.end()
        place += wide
        shift += (4 if ord(char) > 0xFFFF else 2) - 2 * wide
        places.append(place)
        shifts.append(shift)
    return Source(data, len(content), 2, 2, places, shifts)


def _mended(body: bytes, size: int, start: int) -> Source:
    text = body.decode("utf-8", "surrogateescape")
    wrong = sum("\udc80" <= match[0] <= "\udcff" for match in _WIDE.finditer(text))
    if wrong > _SHARE * sum(1 for _ in _WIDE.finditer(text)):
        return _western(body, size, start)
    places, shifts, shift, place, last = [], [], 0, 0, 0
    for match in _WIDE.finditer(text):
        char = match[0]
        place += match.start() - last
        last = match.end()
        if "\udc80" <= char <= "\udcff":
            place += 3
            shift -= 2
            places.append(place)
            shifts.append(shift)
        else:
            place += len(char.encode())
    data = re.sub("[\udc80-\udcff]", "\ufffd", text).encode()
    return Source(data, size, start, 1, places, shifts)


def _western(body: bytes, size: int, start: int) -> Source:
    text = body.decode("cp1252", "replace")
    places, shifts, shift, place, last = [], [], 0, 0, 0
    for match in _WIDE.finditer(text):
        wide = len(match[0].encode())
        place += match.start() - last + wide
        last = match.end()
        shift -= wide - 1
        places.append(place)
        shifts.append(shift)
    return Source(text.encode(), size, start, 1, places, shifts)


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text with some spans of it replaced, and the way back to the text before."""

    data: bytes
    spans: Sequence[tuple[int, int]] = ()
    """In the text before, in order."""
    puts: Sequence[tuple[int, int]] = ()
    """In the text after: where what was put in stands."""

    def before(self, place: int) -> int:
        """Where a place of the text after stood. One inside of what was put in stands where that span ended."""
        index = bisect_left(self.puts, (place,)) - 1
        if index < 0:
            return place
        begin, end = self.puts[index]
        if begin < place < end:
            return self.spans[index][1]
        return place if place <= begin else self.spans[index][1] + place - end

    def whole(self, place: int) -> int:
        """The place, or where what was put in begins that the place is inside of."""
        index = bisect_left(self.puts, (place,)) - 1
        if index < 0:
            return place
        begin, end = self.puts[index]
        return begin if begin < place < end else place


def replaced(data: bytes, spans: Sequence[tuple[int, int]], texts: Sequence[bytes]) -> Redacted:
    """The text with each span (in order, apart from each other) replaced by its text."""
    parts, puts, last, length = [], [], 0, 0
    for (begin, end), text in zip(spans, texts, strict=True):
        parts += [data[last:begin], text]
        length += begin - last
        puts.append((length, length + len(text)))
        length += len(text)
        last = end
    return Redacted(b"".join([*parts, data[last:]]), spans, puts)
