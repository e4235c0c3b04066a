"""What a process works on now, told through eight bytes that it shares with who gave it the job."""

import mmap
from typing import Final

SIZE: Final = 8
_shared: list[mmap.mmap] = []


def share(memory: mmap.mmap) -> None:
    """From now on marks are written there."""
    _shared[:] = [memory]


def mark(number: int) -> None:
    """The job begins with this item; outside of a crew nothing happens."""
    for memory in _shared:
        memory[:SIZE] = number.to_bytes(SIZE, "little")


def read(memory: mmap.mmap) -> int:
    """The last mark."""
    return int.from_bytes(memory[:SIZE], "little")
