"""How the two sides speak: a kind, a length, and a pickle. Both sides are this program; nobody else is listened to."""

import pickle
import struct
from typing import IO, Any, Final

RESULT: Final = b"r"
END: Final = b"e"
FAILED: Final = b"x"
JOB: Final = b"j"
_HEAD: Final = struct.Struct("<cQ")
HEAD_BYTES: Final = _HEAD.size


def packed(kind: bytes, value: Any) -> tuple[bytes, bytes]:  # Any: what a job takes and gives
    """The head and the body of a frame."""
    body = pickle.dumps(value, protocol=5)
    return _HEAD.pack(kind, len(body)), body


def head(read: bytes) -> tuple[bytes, int]:
    """A frame's kind and the length of its body."""
    kind, size = _HEAD.unpack(read)
    return kind, size


def unpacked(body: bytes) -> Any:
    """What was packed."""
    return pickle.loads(body)  # noqa: S301  # written by our own process


def write(stream: IO[bytes], kind: bytes, value: Any) -> None:
    """Write a frame; waits while the other side does not read."""
    for part in packed(kind, value):
        stream.write(part)
    stream.flush()


def read(stream: IO[bytes]) -> Any:
    """The next frame's value. Raises EOFError at the end."""
    told = stream.read(HEAD_BYTES)
    if len(told) < HEAD_BYTES:
        raise EOFError
    return unpacked(stream.read(head(told)[1]))
