"""Processes for work that burns CPU: they take jobs one by one and hand results back piece by piece.

A job is a generator function of a module that only these processes import, so that what it needs takes memory nowhere
else; its arguments and results are picklable. What it works on it tells with `mark`, so that when a process crashes,
hangs or eats memory, it is known on what, and that alone is lost.
"""

from kijko.core.crew.crew import Broke, Crew
from kijko.core.crew.marks import mark

__all__ = ["Broke", "Crew", "mark"]
