"""Cutting a text into pieces of at most so many tokens, that cover it once, in order.

First ranges are put, by syntax or as a whole; then `finish` makes pieces of them and cuts what is too large between
lines. Tokens are counted once for each piece. Before that they are guessed from bytes, and counted early only where it
matters whether something stays whole. The same text is always cut alike.
"""

from collections.abc import Callable
from typing import Final

from kijko.core.tokenizer import count
from kijko.services.reading.results import Piece

_GUESS: Final = 4.0
"""Bytes a token has in ordinary code."""
_DENSE, _THIN = 2.5, 8.0
"""With fewer or more bytes a token than these, there is no need to count whether something fits."""
_LEAST, _MOST = 1.5, 8.0
_CAUTION: Final = 0.9

Shift = Callable[[int], int]


class Cutter:
    """Takes ranges of a text in order and makes pieces of them.

    Args:
        data: the text without secrets, as UTF-8.
        budget: the most tokens a piece may have.
        origin: a place in the text → the place in the file.
        before: a place in the text → the place in `lines`, whose line ends are counted.
        whole: a place in the text → that, or where what must not be cut begins that it is inside of.
        lines: the file's text as it was.
        plain: the text is the file, byte by byte.
    """

    def __init__(
        self, data: bytes, budget: int, *, origin: Shift, before: Shift, whole: Shift, lines: bytes, plain: bool
    ) -> None:
        self.data = data
        self.budget = budget
        self.plain = plain
        self.ranges: list[tuple[int, int, str, str | None]] = []
        """Begin, end, kind, symbol: what was put."""
        self._origin, self._before, self._whole, self._lines = origin, before, whole, lines
        self._line, self._line_at = 1, 0
        self._ratio = _GUESS
        self._counted: dict[tuple[int, int], int] = {}

    def limit(self, share: float) -> int:
        """About how many bytes have that share of the budget."""
        return max(int(self.budget * share * _GUESS), 1)

    def fits(self, begin: int, end: int) -> bool:
        """Whether that range has at most the budget's tokens: counted, where it is not plain."""
        size = end - begin
        if size <= self.budget * _DENSE:
            return True
        if size > self.budget * _THIN:
            return False
        tokens = count(self.data[begin:end].decode())
        if tokens > self.budget:
            return False
        self._counted[begin, end] = tokens
        return True

    def put(self, begin: int, end: int, kind: str, symbol: str | None) -> None:
        """Add a range. Ranges come in order, each beginning where the last one ended."""
        if begin < end:
            self.ranges.append((begin, end, kind, symbol))

    def line(self, place: int) -> int:
        """The line of the file that a place in the text is in. Quick where places come in order, or nearly."""
        at = place if self.plain else self._before(place)
        if at >= self._line_at:
            self._line += self._lines.count(b"\n", self._line_at, at)
        else:
            self._line -= self._lines.count(b"\n", at, self._line_at)
        self._line_at = at
        return self._line

    def finish(self) -> list[Piece]:
        """The pieces."""
        found: list[Piece] = []
        for begin, end, kind, symbol in self.ranges:
            at = begin
            while at < end:
                stop, tokens = self._next(at, end)
                found.append(self.piece(at, stop, tokens, kind, symbol))
                at = stop
        return found

    def piece(self, begin: int, end: int, tokens: int, kind: str, symbol: str | None) -> Piece:
        """One piece, with so many tokens."""
        text = self.data[begin:end].decode()
        if self.plain:
            if self._line_at != begin:
                self.line(begin)
            first = self._line
            self._line = after = first + text.count("\n")
            self._line_at = end
            return Piece(begin, end, first, max(after - text.endswith("\n"), first), tokens, kind, symbol, text)
        first, after = self.line(begin), self.line(end)
        ends_a_line = self._line_at > 0 and self._lines[self._line_at - 1] == 0x0A
        last = max(after - ends_a_line, first)
        return Piece(self._origin(begin), self._origin(end), first, last, tokens, kind, symbol, text)

    def _next(self, begin: int, end: int) -> tuple[int, int]:
        """Where the piece that begins there ends, and its tokens."""
        size = end - begin
        if size <= self.budget * max(self._ratio * _CAUTION, _DENSE) or (begin, end) in self._counted:
            stop = end
        else:
            stop = self._border(begin, begin + int(self.budget * self._ratio * _CAUTION), end)
        while True:
            tokens = self._count(begin, stop)
            if tokens <= self.budget:
                break
            # Never more tokens than bytes, so this ends. It goes by what these very bytes had.
            size = min(int((stop - begin) * self.budget / tokens * _CAUTION), stop - begin - 1)
            stop = self._border(begin, begin + max(size, 1), stop)
        if stop - begin >= 64:
            self._ratio = min(max((self._ratio + (stop - begin) / tokens) / 2, _LEAST), _MOST)
        return stop, tokens

    def _border(self, begin: int, wish: int, end: int) -> int:
        stop = border(self.data, begin, wish, end)
        whole = self._whole(stop) if stop < end else end
        return whole if whole > begin else stop

    def _count(self, begin: int, end: int) -> int:
        found = self._counted.get((begin, end))
        return count(self.data[begin:end].decode()) if found is None else found


def border(data: bytes, begin: int, wish: int, end: int) -> int:
    """Where to cut between `begin` and `wish`: after a blank line, else a line, a sentence, a word, else a character.

    The larger ones are taken only in the second half, so that pieces do not get too small.
    """
    if wish >= end:
        return end
    half = begin + (wish - begin) // 2
    for mark in (b"\n\n", b"\n\r\n", b"\n", b". ", b"; ", b", ", b" ", b"\t"):
        found = data.rfind(mark, half, wish)
        if found > begin:
            return found + len(mark)
    return character(data, wish, begin, end)


def character(data: bytes, place: int, begin: int, end: int) -> int:
    """The beginning of the character at a place, or the next one's where it began at `begin` or before."""
    stop = place
    while stop > begin and data[stop] & 0xC0 == 0x80:
        stop -= 1
    if stop > begin:
        return stop
    stop = place
    while stop < end and (stop <= begin or data[stop] & 0xC0 == 0x80):
        stop += 1
    return stop
