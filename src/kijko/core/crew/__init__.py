"""Processes for work that burns CPU: they take jobs one by one and hand results back piece by piece.

A job is a generator function of a module that only these processes import, so that what it needs takes memory nowhere
else; its arguments and results are picklable. What it works on it tells with `mark`, so that when a process crashes,
hangs or eats memory, it is known on what, and that alone is lost.
"""

from typing import TYPE_CHECKING

from kijko.core.lazily import lazily

if TYPE_CHECKING:
    from kijko.core.crew.crew import Broke, Crew
    from kijko.core.crew.marks import mark

__all__ = ["Broke", "Crew", "mark"]

# What a process that reads files takes of this package brings nothing else along.
__getattr__ = lazily(
    __name__,
    {
        "crew": "Broke Crew",
        "marks": "mark",
    },
)
