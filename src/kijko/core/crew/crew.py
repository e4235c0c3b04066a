"""The crew, as one event loop has it. Its processes start when there is work and end when there was none for long."""

import asyncio
import contextlib
import mmap
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from kijko.core.crew import frames, marks

_log = structlog.get_logger(__name__)
_LOOK_S: Final = 0.5
_START_S: Final = 60.0
_STREAM_BYTES: Final = 1_048_576
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
_INHERITED_KINDS: Final = ("PYTHON", "COVERAGE", "COV_")


class Broke(Exception):
    """A process crashed, or said nothing for too long. `mark` is what it worked on; 0 where it had not begun."""

    def __init__(self, mark: int, why: str) -> None:
        super().__init__(why)
        self.mark = mark
        self.why = why


@dataclass
class _Member:
    process: Process
    memory: mmap.mmap
    worn: bool = False
    """It has taken more memory than it should keep."""

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        # Its end comes when its pipes are closed, and one that nobody reads any more would stand for ever.
        self.process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001  # no public way
        self.memory.close()


@dataclass
class Crew:
    """At most `size` processes, each of which has imported `module`.

    One that keeps more than `memory_bytes` after a job is replaced; none ever has more than `address_bytes`.
    """

    module: str
    size: int
    memory_bytes: int = 400_000_000
    address_bytes: int = 2_000_000_000
    idle_s: float = 60.0
    _idle: list[_Member] = field(default_factory=list)
    _all: set[int] = field(default_factory=set)
    _dying: set[asyncio.Future[int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._places = asyncio.Semaphore(self.size)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def pids(self) -> frozenset[int]:
        """The processes that live now."""
        return frozenset(self._all)

    async def warm(self) -> None:
        """Starts a process where none waits, so that the first job need not."""
        if not self._idle and len(self._all) < self.size:
            self._rest(await self._start())

    async def run(self, job: str, *arguments: Any, seconds: float) -> AsyncGenerator[Any, None]:  # Any: each job's own
        """The results of one job, as they come. Whoever stops reading, stops the job.

        Args:
            job: the name of a generator function of the module.
            arguments: its own.
            seconds: how long it may take with one item (see `mark`), or without one until the next result.

        Raises:
            Broke: the process is gone; the next job gets another. RuntimeError: none starts. And what the job raises.
        """
        async with self._places:
            member = self._idle.pop() if self._idle else await self._start()
            ended = False
            try:
                async for kind, value in self._frames(member, job, arguments, seconds):
                    if kind == frames.RESULT:
                        yield value
                        continue
                    ended = True
                    if kind == frames.FAILED:
                        raise value
                    member.worn = value > self.memory_bytes
            finally:
                if ended and not member.worn:
                    self._rest(member)
                else:
                    self._drop(member)

    async def close(self) -> None:
        """Ends every process that waits for work."""
        if self._timer is not None:
            self._timer.cancel()
        self._send_home()
        await asyncio.gather(*self._dying)

    async def _frames(
        self, member: _Member, job: str, arguments: Any, seconds: float
    ) -> AsyncGenerator[tuple[bytes, Any], None]:
        asked, answers = member.process.stdin, member.process.stdout
        assert asked is not None  # noqa: S101  # asked for at the start
        assert answers is not None  # noqa: S101
        member.memory[: marks.SIZE] = bytes(marks.SIZE)
        try:
            asked.writelines(frames.packed(frames.JOB, (job, arguments)))
            await asked.drain()
            kind = frames.RESULT
            while kind == frames.RESULT:
                told = await self._patiently(member, answers.readexactly(frames.HEAD_BYTES), seconds)
                kind, size = frames.head(told)
                yield kind, frames.unpacked(await self._patiently(member, answers.readexactly(size), seconds))
        except (asyncio.IncompleteReadError, ConnectionError):
            status = await member.process.wait()
            at = marks.read(member.memory)
            _log.warning("crew.broke", status=status, mark=at)
            raise Broke(at, f"it ended with {status}") from None

    async def _patiently(self, member: _Member, reading: Any, seconds: float) -> bytes:
        """What is read, as long as the process gets on: results come, or its marks change."""
        task: asyncio.Task[bytes] = asyncio.ensure_future(reading)
        clock = asyncio.get_running_loop().time
        since, at = clock(), marks.read(member.memory)
        try:
            while True:
                done, _ = await asyncio.wait({task}, timeout=_LOOK_S)
                if done:
                    return task.result()
                if (now := marks.read(member.memory)) != at:
                    since, at = clock(), now
                elif clock() - since > seconds:
                    _log.warning("crew.hung", mark=at, seconds=seconds)
                    raise Broke(at, f"it took longer than {seconds:g} seconds")
        finally:
            task.cancel()

    async def _start(self) -> _Member:
        fd = os.memfd_create("kijko-marks")
        try:
            os.truncate(fd, marks.SIZE)
            memory = mmap.mmap(fd, marks.SIZE)
            arguments = (str(fd), str(self.address_bytes), self.module)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "kijko.core.crew.member", *arguments),
                stdin=PIPE,
                stdout=PIPE,
                env=_environment(),
                pass_fds=(fd,),
                limit=_STREAM_BYTES,
            )
        finally:
            os.close(fd)
        self._all.add(process.pid)
        member = _Member(process, memory)
        try:
            await self._greeted(member)
        except BaseException:
            self._drop(member)
            raise
        return member

    async def _greeted(self, member: _Member) -> None:
        """Returns when the process has imported what it needs. Raises RuntimeError: it does not come to that."""
        assert member.process.stdout is not None  # noqa: S101  # asked for at the start
        try:
            async with asyncio.timeout(_START_S):
                _, size = frames.head(await member.process.stdout.readexactly(frames.HEAD_BYTES))
                await member.process.stdout.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            raise RuntimeError(f"A process with {self.module} does not start; its words are in the log.") from None

    def _rest(self, member: _Member) -> None:
        self._idle.append(member)
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(self.idle_s, self._send_home)

    def _send_home(self) -> None:
        while self._idle:
            self._drop(self._idle.pop())

    def _drop(self, member: _Member) -> None:
        member.kill()
        self._all.discard(member.process.pid)
        waiting = asyncio.ensure_future(member.process.wait())
        self._dying.add(waiting)
        waiting.add_done_callback(self._dying.discard)


def _environment() -> dict[str, str]:
    """Nothing of ours: what reads other people's files has no secret to lose."""
    return {
        name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith(_INHERITED_KINDS)
    }
