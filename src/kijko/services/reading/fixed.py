"""Cutting into windows of the same number of tokens, each beginning with the end of the one before."""

from typing import Final

from kijko.core.tokenizer import count
from kijko.services.reading.cutting import Cutter, character
from kijko.services.reading.results import Piece

_FULL: Final = 0.9
_TRIES: Final = 4


def cut(cutter: Cutter, overlap: int) -> list[Piece]:
    """All of the text as windows with at most the budget's tokens, mostly more than nine tenths of it.

    Args:
        overlap: at most so many tokens of a window come again in the next.
    """
    data, end, found = cutter.data, len(cutter.data), []
    begin = done = 0
    ratio = 4.0
    while done < end:
        stop, tokens = _window(data, begin, done, cutter.budget, ratio)
        ratio = max((stop - begin) / max(tokens, 1), 1.0)
        found.append(cutter.piece(begin, stop, tokens, "window", None))
        done = stop
        begin = _back(data, begin, stop, overlap, ratio)
    return found


def _window(data: bytes, begin: int, floor: int, budget: int, ratio: float) -> tuple[int, int]:
    """Where the window from `begin` ends, after `floor`, and its tokens."""
    end = len(data)
    size = max(int(budget * ratio), 1)
    best = (0, 0)
    for _ in range(_TRIES):
        stop = character(data, begin + size, begin, end) if begin + size < end else end
        tokens = _tokens(data, begin, stop)
        if tokens <= budget and stop > floor:
            best = max(best, (stop, tokens))
            if stop == end or tokens >= budget * _FULL:
                break
        size = max(int((stop - begin) * budget / max(tokens, 1) * 0.98), 1)
    if best[0]:
        return best
    # Never more tokens than bytes, and what came before `floor` has at most half of the budget.
    stop = min(floor + budget // 2, end)
    stop = stop if stop == end else character(data, stop, floor, end)
    return stop, _tokens(data, begin, stop)


def _back(data: bytes, begin: int, stop: int, overlap: int, ratio: float) -> int:
    """Where the next window begins, so that at most that many tokens come again."""
    size = int(overlap * ratio)
    for _ in range(_TRIES):
        at = max(stop - size, begin + 1)
        if size > 0 and at < stop:
            at = character(data, at, begin, stop)
        if size <= 0 or at >= stop:
            return stop
        if _tokens(data, at, stop) <= overlap:
            return at
        size = int(size * 0.7)
    return stop


def _tokens(data: bytes, begin: int, end: int) -> int:
    return count(data[begin:end].decode())
