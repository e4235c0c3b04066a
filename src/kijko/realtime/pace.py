"""How many messages a client may send in a second."""

import time


class Pace:
    """Counts one connection's."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._second = self._count = 0

    def is_exceeded(self) -> bool:
        """Counts one more; whether that is too many for this second."""
        now = int(time.monotonic())
        self._count = self._count + 1 if now == self._second else 1
        self._second = now
        return self._count > self._most
