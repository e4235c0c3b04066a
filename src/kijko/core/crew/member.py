"""One process of a crew, and the one from which all of them are forked, as the event loop has them."""

import asyncio
import contextlib
import mmap
import os
import select
import signal
import socket
import struct
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, Process
from dataclasses import dataclass
from typing import Final

from kijko.core.crew import marks
from kijko.core.starting import started

_START_S: Final = 60.0
_STREAM_BYTES: Final = 1_048_576
_PID: Final = struct.Struct("<q")
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
_INHERITED_KINDS: Final = ("PYTHON", "COVERAGE", "COV_")


@dataclass
class Member:
    """A process that takes jobs."""

    pid: int
    handle: int
    """Its pidfd: another process that gets the same number is not meant."""
    answers: StreamReader
    asked: StreamWriter
    memory: mmap.mmap
    worn: bool = False
    """It has taken more memory than it should keep."""

    @property
    def lives(self) -> bool:
        """Whether it has not ended, by itself or by whoever kills processes where memory is short."""
        looking = select.poll()
        looking.register(self.handle, select.POLLIN)
        return not looking.poll(0)

    def kill(self) -> None:
        """Ends it, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, signal.SIGKILL)
        os.close(self.handle)
        self.asked.transport.abort()
        self.memory.close()


@dataclass
class Nursery:
    """The process that imports the module, and forks."""

    process: Process
    asking: socket.socket

    @classmethod
    async def start(cls, module: str, address_bytes: int) -> "Nursery":
        """Returns when it has imported what its children need. Raises RuntimeError: it does not come to that."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)  # its only argument
        with theirs:
            process = await started(
                *(sys.executable, "-P", "-m", "kijko.core.crew.nursery"),
                *(str(theirs.fileno()), str(address_bytes), module),
                stdin=DEVNULL,
                env=_environment(),
                pass_fds=(theirs.fileno(),),
            )
        made = cls(process, ours)
        try:
            await made._told()
        except BaseException:
            await made.close()
            raise
        return made

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self.process.returncode is None

    async def fork(self) -> Member:
        """A new process. Raises RuntimeError: there is none to be had."""
        ours, theirs = socket.socketpair()
        marking = os.memfd_create("kijko-marks")
        try:
            os.truncate(marking, marks.SIZE)
            memory = mmap.mmap(marking, marks.SIZE)
            with theirs:
                socket.send_fds(self.asking, [b"f"], [theirs.fileno(), marking])
                pid = await self._told()
        except (BrokenPipeError, ConnectionError):
            ours.close()
            raise RuntimeError("The process that others are forked from has ended; its words are in the log.") from None
        finally:
            os.close(marking)
        answers, asked = await asyncio.open_unix_connection(sock=ours, limit=_STREAM_BYTES)
        return Member(pid, os.pidfd_open(pid), answers, asked, memory)

    async def close(self) -> None:
        """Ends it, and with it all that were forked from it."""
        self.asking.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def _told(self) -> int:
        try:
            async with asyncio.timeout(_START_S):
                told = await asyncio.get_running_loop().sock_recv(self.asking, _PID.size)
        except (TimeoutError, ConnectionError):
            told = b""
        if len(told) < _PID.size:
            raise RuntimeError("A process for the crew does not start; its words are in the log.")
        pid: int = _PID.unpack(told)[0]
        return pid


def _environment() -> dict[str, str]:
    """Nothing of ours: what reads other people's files has no secret to lose."""
    return {
        name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith(_INHERITED_KINDS)
    }
