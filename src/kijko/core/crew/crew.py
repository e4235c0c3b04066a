"""The crew, as one event loop has it. Its processes start when there is work and end when there was none for long."""

import asyncio
from asyncio import IncompleteReadError
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import structlog

from kijko.core.crew import frames, marks
from kijko.core.crew.member import Member, Nursery
from kijko.core.words import counted

_log = structlog.get_logger(__name__)
_LOOK_S: Final = 0.5
T = TypeVar("T")


class Broke(Exception):
    """A process crashed, or said nothing for too long. `mark` is what it worked on; 0 where it had not begun."""

    def __init__(self, mark: int, why: str) -> None:
        super().__init__(why)
        self.mark = mark
        self.why = why


@dataclass
class Crew:
    """At most `size` processes, each forked from one that has imported `module`.

    One that keeps more than `memory_bytes` after a job is replaced; none ever has more than `address_bytes`.
    """

    module: str
    size: int
    memory_bytes: int = 400_000_000
    address_bytes: int = 2_000_000_000
    idle_s: float = 60.0
    _nursery: Nursery | None = None
    _idle: list[Member] = field(default_factory=list)
    _all: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._places = asyncio.Semaphore(self.size)
        self._starting = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._ends: set[asyncio.Task[None]] = set()

    @property
    def pids(self) -> frozenset[int]:
        """The processes that live now and take jobs."""
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
            member = self._rested() or await self._start()
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
        """Ends every process."""
        if self._timer is not None:
            self._timer.cancel()
        await self._send_home()
        await asyncio.gather(*self._ends)

    async def _frames(
        self, member: Member, job: str, arguments: Any, seconds: float
    ) -> AsyncGenerator[tuple[bytes, Any], None]:
        answers = member.answers
        member.memory[: marks.SIZE] = bytes(marks.SIZE)
        try:
            member.asked.writelines(frames.packed(frames.JOB, (job, arguments)))
            await self._patiently(member, member.asked.drain(), seconds)  # a large job waits until somebody reads it
            kind = frames.RESULT
            while kind == frames.RESULT:
                told = await self._patiently(member, answers.readexactly(frames.HEAD_BYTES), seconds)
                kind, size = frames.head(told)
                yield kind, frames.unpacked(await self._patiently(member, answers.readexactly(size), seconds))
        except (IncompleteReadError, ConnectionError):
            at = marks.read(member.memory)
            _log.warning("crew.broke", mark=at)
            raise Broke(at, "the process that worked on it crashed") from None

    async def _patiently(self, member: Member, reading: Coroutine[Any, Any, T], seconds: float) -> T:
        """What is read, as long as the process gets on: results come, or its marks change."""
        task = asyncio.ensure_future(reading)
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
                    raise Broke(at, f"it took longer than {counted(seconds, 'second')}")
        finally:
            task.cancel()

    async def _start(self) -> Member:
        # Once begun it is ended, whoever goes away: each question to the nursery has one answer.
        starting = asyncio.ensure_future(self._fork())
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(self._not_wanted)
            raise

    def _not_wanted(self, starting: "asyncio.Future[Member]") -> None:
        if not starting.cancelled() and starting.exception() is None:
            self._drop(starting.result())

    async def _fork(self) -> Member:
        async with self._starting:
            if self._nursery is None or not self._nursery.lives:
                self._nursery = await Nursery.start(self.module, self.address_bytes)
            try:
                member = await self._nursery.fork()
            except Exception:
                nursery, self._nursery = self._nursery, None
                await nursery.close()
                raise
        self._all.add(member.pid)
        return member

    def _rested(self) -> Member | None:
        """One that waits for work; those that were killed while they waited are let go."""
        while self._idle:
            member = self._idle.pop()
            if member.lives:
                return member
            self._drop(member)
        return None

    def _rest(self, member: Member) -> None:
        self._idle.append(member)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self.idle_s, self._go_home)

    def _go_home(self) -> None:
        task = asyncio.ensure_future(self._send_home())
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)

    async def _send_home(self) -> None:
        """Ends who waits for work, and when that were all, what they were forked from."""
        while self._idle:
            self._drop(self._idle.pop())
        async with self._starting:
            if not self._all and self._nursery is not None:
                nursery, self._nursery = self._nursery, None
                await nursery.close()

    def _drop(self, member: Member) -> None:
        member.kill()
        self._all.discard(member.pid)
