"""Looking at and handling single parts of a stack: while it starts, while it runs, after it has stopped."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.local.running import environment, kijko, up

from kijko import cli


def test_while_it_starts_status_and_doctor_say_so_and_call_it_no_fault(home: Path):
    with up(home, "postgres,redis") as running:
        running.wait_for("making a new database")
        running.process.send_signal(signal.SIGSTOP)  # so that it is still at it, however quick the machine is
        told = kijko(home, "status")
        assert told.returncode == 0, told.stderr
        assert [line.split()[:2] for line in told.stdout.splitlines()[1:]] == [
            ["postgres", "starting"],
            ["redis", "starting"],
        ]
        found = kijko(home, "doctor").stdout
        running.process.send_signal(signal.SIGCONT)
        assert "start  Redis: is starting" in found
        assert "The stack is still starting; ask again in a moment." in found
        running.wait_for("Ready")
        assert kijko(home, "status").stdout.count("running") == 2
        assert "ok     Redis" in kijko(home, "doctor").stdout


def test_a_part_is_restarted_and_its_return_is_waited_for(home: Path):
    with up(home, "postgres,redis") as running:
        running.wait_for("Ready")
        before = running.pids("postgres", "redis")
        for part in before:
            told = kijko(home, "restart", part)
            assert told.returncode == 0, told.stderr
            assert f"{part} runs again" in told.stdout
        after = running.pids("postgres", "redis")
        assert all(after[part] != before[part] for part in before)


def test_a_part_that_is_not_there_is_named_with_those_that_are(home: Path):
    with up(home, "redis,mail", KIJKO_SMTP_HOST="") as running:
        running.wait_for("Ready")
        for command in (("restart", "api"), ("restart", "mongodb"), ("logs", "mongodb")):
            told = kijko(home, *command)
            assert told.returncode == 1
            assert f"There is no part named {command[1]}. The parts are: " in told.stderr
            assert "redis, mail" in told.stderr.replace("redis, keycloak, mail", "redis, mail")


def test_logs_are_shown_after_the_stack_has_stopped_too(home: Path):
    told = kijko(home, "logs")
    assert told.returncode == 1
    assert "There is no log" in told.stderr
    with up(home, "redis,mail") as running:
        running.wait_for("Ready")
    lines = kijko(home, "logs", "redis", "-n", "3").stdout.splitlines()
    assert len(lines) == 3
    assert lines == (home / "logs" / "redis.log").read_text().splitlines()[-3:]
    assert {line.split()[0] for line in kijko(home, "logs").stdout.splitlines()} >= {"redis"}


def test_a_log_is_followed_until_ctrl_c(home: Path):
    (home / "logs").mkdir(parents=True)
    log = home / "logs" / "api.log"
    log.write_text("one\n")
    following = subprocess.Popen(
        [sys.executable, "-m", "kijko.cli", "logs", "api", "-f"],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert following.stdout is not None
    assert following.stdout.readline() == "one\n"
    for added in ("two\n", "three\n"):
        with log.open("a") as file:
            file.write(added)
        assert following.stdout.readline() == added
    following.send_signal(signal.SIGINT)
    assert following.wait(10) == 0
    assert following.stderr is not None
    assert following.stderr.read() == ""


def test_it_says_its_version(home: Path):
    told = kijko(home, "--version")
    assert (told.returncode, told.stdout) == (0, f"kijko {cli.version('kijko')}\n")
