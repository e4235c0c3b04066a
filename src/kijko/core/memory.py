"""What the C library keeps of memory that Python has let go."""

import ctypes
from typing import Final

_ARENA_MAX: Final = -8
_MMAP_THRESHOLD: Final = -3
_TRIM_THRESHOLD: Final = -1
"""Names of glibc's mallopt(3)."""
_LARGE: Final = 65_536
_SPARE: Final = 131_072


def give_back() -> None:
    """Have large blocks returned when they are freed, and threads share what is kept. Elsewhere than on glibc: nothing.

    A batch of an ingestion is some megabytes in blocks of all sizes. By itself glibc keeps a heap for each thread, and
    raises its threshold with the largest block that it saw.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, value in ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, _SPARE)):
            mallopt(name, value)
