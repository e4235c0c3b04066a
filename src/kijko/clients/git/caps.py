"""The caps of reading from a repository. `settings.Git` has them; a process that reads no settings is given them."""

from dataclasses import dataclass
from typing import Protocol, Self


class Caps(Protocol):
    """Bytes, numbers and seconds, as `settings.Git` explains them."""

    @property
    def fetch_s(self) -> float: ...
    @property
    def max_bytes(self) -> int: ...
    @property
    def max_files(self) -> int: ...
    @property
    def max_file_bytes(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Capped:
    """The same, apart from the settings: plain and picklable."""

    fetch_s: float
    max_bytes: int
    max_files: int
    max_file_bytes: int
    memory_bytes: int

    @classmethod
    def of(cls, caps: Caps) -> Self:
        """Those caps."""
        return cls(caps.fetch_s, caps.max_bytes, caps.max_files, caps.max_file_bytes, caps.memory_bytes)
