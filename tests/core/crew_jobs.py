"""Jobs for the tests of crews."""

import os
import signal
import sys
import time
from collections.abc import Iterator

from kijko.core.crew import mark


def count(up_to: int) -> Iterator[int]:
    yield from range(up_to)


def pieces(number: int, size: int) -> Iterator[bytes]:
    for _ in range(number):
        yield bytes(size)


def size(given: bytes) -> Iterator[int]:
    yield len(given)


def pid() -> Iterator[int]:
    yield os.getpid()


def secrets() -> Iterator[list[str]]:
    yield [name for name in os.environ if name.startswith("KIJKO_")]


def chat() -> Iterator[str]:
    print("a library says something on stdout")
    sys.stdout.flush()
    yield "the result"


def fail() -> Iterator[int]:
    yield 1
    raise LookupError("no such thing")


def crash(at: int) -> Iterator[int]:
    for number in range(1, at + 1):
        mark(number)
        if number == at:
            os.kill(os.getpid(), signal.SIGSEGV)
        yield number


def hang(at: int) -> Iterator[int]:
    mark(at)
    yield at
    mark(at + 1)
    time.sleep(600)


def slow(steps: int) -> Iterator[int]:
    """Longer than the deadline in all, but no step is."""
    for number in range(1, steps + 1):
        mark(number)
        time.sleep(0.3)
    yield steps


def eat(size: int) -> Iterator[int]:
    mark(1)
    yield len(bytes(size))


def keep(size: int) -> Iterator[int]:
    _KEPT.append(b"x" * size)
    yield os.getpid()


_KEPT: list[bytes] = []
