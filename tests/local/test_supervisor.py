"""What the supervisor does with parts that misbehave."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from kijko.local.errors import StackError
from kijko.local.home import Home, Running, State
from kijko.local.preflight import clear_leftovers
from kijko.local.process import Part, describe, is_alive
from kijko.local.supervisor import Supervisor


class Watched:
    """A supervisor with its words and what it told of its parts."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        self.home.make()
        self.words: list[str] = []
        self.told: list[dict[str, Running]] = []
        self.supervisor = Supervisor(
            self.home, self.words.append, lambda: False, lambda parts: self.told.append({**parts})
        )

    def watch_until(self, count: int, text: str, within_s: float = 20) -> None:
        deadline = time.monotonic() + within_s
        while sum(text in each for each in self.words) < count:
            assert time.monotonic() < deadline, self.words
            self.supervisor.watch()
            time.sleep(0.01)


@pytest.fixture
def watched(tmp_path: Path):
    made = Watched(tmp_path / "home")
    yield made
    made.supervisor.stop()


def shell(script: str, **more: object) -> Part:
    settings = {"name": "sample", "title": "Sample", "argv": ("/bin/sh", "-c", script), "environ": {"PATH": os.defpath}}
    return Part(**{**settings, **more})


def test_a_part_that_keeps_dying_is_started_again_with_growing_pauses(watched):
    watched.supervisor.launch(shell("exit 3"))
    watched.watch_until(3, "Sample ended (exit code 3)")
    assert [each.split(" in ")[1].split(" s")[0] for each in watched.words if "ended" in each][:3] == ["0.5", "1", "2"]
    assert watched.told[-1] == {}


def test_a_part_is_told_as_running_only_while_it_runs(watched):
    watched.supervisor.launch(shell("sleep 60"))
    watched.supervisor.await_ready(["sample"])
    first = watched.told[-1]["sample"]
    os.kill(first.pid, signal.SIGKILL)
    watched.watch_until(1, "is back")
    second = watched.told[-1]["sample"]
    assert is_alive(second)
    assert (second.pid != first.pid, second.restarts) == (True, 1)


def test_a_part_that_does_not_answer_after_a_restart_is_ended_and_started_once_more(watched, tmp_path):
    marker = tmp_path / "well"
    marker.touch()
    watched.supervisor.launch(shell("sleep 60", ready=marker.exists, ready_within_s=0.3))
    watched.supervisor.await_ready(["sample"])
    marker.unlink()
    os.kill(watched.told[-1]["sample"].pid, signal.SIGKILL)
    watched.watch_until(1, "does not answer")
    marker.touch()
    watched.watch_until(1, "is back")


def test_a_part_is_ready_when_it_says_so_in_this_life_not_in_an_earlier_one(watched):
    watched.home.log("sample").write_text("sample.ready\n")
    watched.supervisor.launch(shell("sleep 60", ready_words="sample.ready", ready_within_s=0.5))
    with pytest.raises(StackError, match="did not answer within"):
        watched.supervisor.await_ready(["sample"])


def test_a_part_that_cannot_be_found_is_a_sentence_with_its_name(watched):
    watched.supervisor.launch(Part(name="sample", title="Sample", argv=("/no/such/program",), ready=lambda: False))
    with pytest.raises(StackError, match=r"Sample ended while it was starting.*\n.*could not be started"):
        watched.supervisor.await_ready(["sample"])


def test_a_part_that_will_not_end_is_killed_with_its_children_within_15_seconds(watched):
    watched.supervisor.launch(shell("trap '' TERM; sleep 301 & echo child $!; while :; do sleep 302; done", stage=0))
    deadline = time.monotonic() + 10
    while "child" not in watched.home.log("sample").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child = describe(int(watched.home.log("sample").read_text().split()[1]))
    leader = watched.told[-1]["sample"]
    began = time.monotonic()
    watched.supervisor.stop()
    assert time.monotonic() - began < 15
    assert any("was killed" in each for each in watched.words)
    deadline = time.monotonic() + 2
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(leader)
    assert not is_alive(child)


def test_serving_parts_end_before_what_they_lean_on_and_postgres_last(watched, tmp_path):
    order = tmp_path / "order"
    for stage, name in ((2, "postgres"), (0, "api"), (1, "redis")):
        script = f"trap 'echo {name} >> {order}; exit 0' TERM; echo up; while :; do sleep 0.05; done"
        watched.supervisor.launch(shell(script, name=name, stage=stage, ready_words="up"))
    watched.supervisor.await_ready(["postgres", "api", "redis"])
    watched.supervisor.stop()
    assert order.read_text().split() == ["api", "redis", "postgres"]


def test_what_an_earlier_stack_left_is_ended_but_never_a_stranger_with_the_same_id():
    ours, stranger = (subprocess.Popen(["sleep", "300"], start_new_session=True) for _ in range(2))
    try:
        parts = {"redis": describe(ours.pid), "stripe": Running(stranger.pid, started=1.0)}
        words: list[str] = []
        clear_leftovers(State(parts=parts), words.append)
        assert ours.wait(timeout=5) == -signal.SIGTERM
        assert stranger.poll() is None
        assert "redis" in words[0]
        assert "stripe" not in words[0]
    finally:
        stranger.kill()
        stranger.wait()


def test_a_log_that_grew_long_keeps_one_older_generation(watched):
    log = watched.home.log("sample")
    log.write_bytes(b"x" * (21 * 1024 * 1024))
    watched.supervisor.launch(shell("echo new"))
    watched.watch_until(1, "ended")
    assert log.stat().st_size < 1000
    assert log.with_suffix(".log.1").stat().st_size == 21 * 1024 * 1024
