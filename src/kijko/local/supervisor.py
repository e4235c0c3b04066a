"""Keeps the processes of a stack running, and ends them in order."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kijko.local import process
from kijko.local.errors import Interrupted, StackError
from kijko.local.home import Home, Running
from kijko.local.process import Part
from kijko.local.site import Say

_PAUSES_S = (0.5, 1, 2, 4, 8, 16, 20)
_STEADY_S = 60
_SAY_EVERY_S = 10
# When each stage must be over, counted from the start of the stop; what lives then is killed. A worker takes up to 9 s
# to hand its runs back.
_STAGE_ENDS_S = (9.5, 13.0, 14.2)


@dataclass
class Child:
    """A part and its process of the moment."""

    part: Part
    popen: subprocess.Popen[bytes]
    running: Running
    since: float
    log_from: int = 0
    """Where in its log this process began."""
    ready: bool = False
    deaths: int = 0
    """In a row: a life of a minute forgets them."""
    again_at: float | None = None
    """When to start it anew, on the monotonic clock; None while it lives."""


class Supervisor:
    """Parent of the parts. `changed` is told the living processes each time one is started or has ended."""

    def __init__(
        self, home: Home, say: Say, cancelled: Callable[[], bool], changed: Callable[[Mapping[str, Running]], None]
    ) -> None:
        self._home = home
        self._say = say
        self._cancelled = cancelled
        self._changed = changed
        self._children: dict[str, Child] = {}
        self._trimmed = time.monotonic()

    def launch(self, part: Part) -> None:
        """Start a part; `await_ready` waits for it."""
        popen, offset = process.spawn(part, self._home.log(part.name))
        running = process.describe(popen.pid, part.address)
        self._children[part.name] = Child(part, popen, running, time.monotonic(), offset)
        self._tell()

    def await_ready(self, names: Iterable[str]) -> None:
        """Wait until these parts answer.

        Raises:
            StackError: one ended, or did not answer in its time; with the end of its log.
            Interrupted: the person wants to stop.
        """
        waiting = [child for name in names if not (child := self._children[name]).ready]
        said = time.monotonic()
        while waiting:
            if self._cancelled():
                raise Interrupted
            for child in waiting:
                self._check_start(child)
            waiting = [child for child in waiting if not child.ready]
            time.sleep(0.05 if waiting else 0)
            if time.monotonic() - said > _SAY_EVERY_S:
                said = time.monotonic()
                named = (f"{each.part.title}{each.part.patience and f' ({each.part.patience})'}" for each in waiting)
                self._say(f"Still waiting for {', '.join(named)}")

    def _check_start(self, child: Child) -> None:
        part, log = child.part, self._home.log(child.part.name)
        code = child.popen.poll()
        if code is not None:
            raise StackError(f"{part.title} ended while it was starting ({_how(code)}). {_last_words(log)}")
        if self._is_ready(child):
            self._note_ready(child)
            self._say(f"{part.title} is ready ({time.monotonic() - child.since:.1f} s)")
        elif time.monotonic() - child.since > part.ready_within_s:
            raise StackError(f"{part.title} did not answer within {part.ready_within_s:.0f} s. {_last_words(log)}")

    def _note_ready(self, child: Child) -> None:
        child.ready = child.running.ready = True
        self._tell()

    def _is_ready(self, child: Child) -> bool:
        if child.part.ready_words:
            return process.says(self._home.log(child.part.name), child.part.ready_words, child.log_from)
        return child.part.ready()

    def watch(self) -> None:
        """One round: note who died, start anew whose pause is over, say who is back. Call it a few times a second."""
        now = time.monotonic()
        for child in self._children.values():
            if child.again_at is not None:
                if now >= child.again_at:
                    self._start_again(child)
            elif child.popen.poll() is not None:
                self._note_death(child, now)
            elif not child.ready:
                self._note_return(child, now)
        if now - self._trimmed > 60:
            self._trimmed = now
            for name in self._children:
                process.trim(self._home.log(name))

    def _note_death(self, child: Child, now: float) -> None:
        process.kill_group(child.popen.pid)  # what it left behind
        child.deaths = 1 if now - child.since > _STEADY_S else child.deaths + 1
        pause = _PAUSES_S[min(child.deaths, len(_PAUSES_S)) - 1]
        child.again_at = now + pause
        log = self._home.log(child.part.name)
        how = _how(child.popen.returncode)
        self._say(f"{child.part.title} ended ({how}); starting it again in {pause:g} s. See {log}.")
        self._tell()

    def _note_return(self, child: Child, now: float) -> None:
        if self._is_ready(child):
            self._note_ready(child)
            self._say(f"{child.part.title} is back (pid {child.popen.pid}).")
        elif now - child.since > child.part.ready_within_s:
            self._say(
                f"{child.part.title} does not answer {child.part.ready_within_s:.0f} s after its start; ending it."
            )
            process.kill_group(child.popen.pid)

    def _start_again(self, child: Child) -> None:
        try:
            child.popen, child.log_from = process.spawn(child.part, self._home.log(child.part.name))
        except StackError as error:
            self._say(str(error))
            child.again_at = time.monotonic() + _PAUSES_S[-1]
            return
        child.running = process.describe(child.popen.pid, child.part.address, child.running.restarts + 1)
        child.since, child.ready, child.again_at = time.monotonic(), False, None
        self._tell()

    def stop(self) -> None:
        """End everything: first who serves, then what they lean on, Postgres last; within 15 s, by force if needed."""
        began = time.monotonic()
        for stage, ends in enumerate(_STAGE_ENDS_S):
            here = [child for child in self._children.values() if child.part.stage == stage]
            for child in here:
                if child.popen.poll() is None:
                    child.popen.send_signal(child.part.stop_signal)
            while any(child.popen.poll() is None for child in here) and time.monotonic() - began < ends:
                time.sleep(0.02)
            for child in here:
                in_time = child.popen.poll() is not None
                process.kill_group(child.popen.pid)
                child.popen.wait()
                if not in_time:
                    self._say(f"{child.part.title} did not end in time and was killed.")
        self._children.clear()
        self._tell()

    def _tell(self) -> None:
        self._changed({name: child.running for name, child in self._children.items() if child.again_at is None})


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _last_words(log: Path) -> str:
    return f"The end of {log}:\n{process.tail(log)}"
