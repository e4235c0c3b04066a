"""`kijko up` from start to end: what stays, what comes back, what is said."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis
from tests.local.running import environment, kijko, left_running, up

PIDS = ("postgres", "redis", "mail", "stripe")
SMALL = ",".join(PIDS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_second_start_finds_data_ports_and_secrets_as_they_were(home: Path):
    with up(home, "postgres,redis") as first:
        first.wait_for("Ready")
        before = first.status()
        with psycopg.connect(before["KIJKO_DATABASE_URL"]) as connection:
            connection.execute("create table kept (word text)")
            connection.execute("insert into kept values ('here')")
        redis.Redis.from_url(before["KIJKO_REDIS_URL"]).set("kept", "here")
        assert first.stop() == 0
    with up(home, "postgres,redis") as second:
        second.wait_for("Ready")
        after = second.status()
        with psycopg.connect(after["KIJKO_DATABASE_URL"]) as connection:
            assert connection.execute("select word from kept").fetchall() == [("here",)]
        assert redis.Redis.from_url(after["KIJKO_REDIS_URL"]).get("kept") == b"here"
    assert {name: value for name, value in before.items() if "PID" not in name} == {
        name: value for name, value in after.items() if "PID" not in name
    }


def test_ending_it_ends_every_process_within_15_seconds(home: Path):
    with up(home, SMALL) as running:
        running.wait_for("Ready")
        pids = list(running.pids(*PIDS).values())
        assert len(left_running(home, pids)) >= len(PIDS)
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < 15
        assert left_running(home, pids) == []


def test_ending_it_while_it_still_starts_leaves_nothing_either(home: Path):
    with up(home, SMALL) as running:
        running.wait_for("making a new database")
        assert running.stop() == 0
        assert "Ready" not in running.words
    assert left_running(home, []) == []


def test_down_stops_a_running_stack_and_waits_for_it(home: Path):
    with up(home, "redis,stripe") as running:
        running.wait_for("Ready")
        pids = list(running.pids("redis", "stripe").values())
        told = kijko(home, "down")
        assert (told.returncode, "Stopped." in told.stdout) == (0, True)
        assert left_running(home, pids) == []
        assert running.exit_code(5) == 0
    assert "Nothing is running" in kijko(home, "down").stdout


def test_every_part_that_is_killed_comes_back_with_its_data_and_its_new_process_id(home: Path):
    with up(home, SMALL) as running:
        running.wait_for("Ready")
        before = running.pids(*PIDS)
        with psycopg.connect(running.status()["KIJKO_DATABASE_URL"], autocommit=True) as connection:
            connection.execute("create table kept (word text)")
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        for title in ("Postgres", "Redis", "Mail catcher", "Stripe stand-in"):
            running.wait_for(f"{title} ended (signal SIGKILL)")
            running.wait_for(f"{title} is back", within_s=30)
        after = running.pids(*PIDS)
        assert all(after[name] != before[name] for name in PIDS)
        with psycopg.connect(running.status()["KIJKO_DATABASE_URL"]) as connection:
            assert connection.execute("select word from kept").fetchall() == []


def test_nothing_outlives_it_for_long_when_it_is_killed_itself_and_the_next_start_works(home: Path):
    with up(home, SMALL) as running:
        running.wait_for("Ready")
        pids = list(running.pids(*PIDS).values())
        running.process.kill()
        running.exit_code()
    with up(home, SMALL) as again:
        again.wait_for("Ready")
        assert left_running(Path("/no/such/home"), pids) == []
        assert set(again.pids(*PIDS).values()).isdisjoint(pids)


def test_a_taken_port_of_the_api_is_said_before_anything_is_started(home: Path):
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        with up(home, "postgres,api", KIJKO_PORT=str(port)) as running:
            assert running.exit_code() == 1
            assert f"Port {port} is already in use" in running.words
            assert f"KIJKO_PORT={port + 1}" in running.words
    assert "Traceback" not in running.words
    assert not (home / "logs" / "postgres.log").exists()


def test_a_kept_port_that_a_stranger_took_is_given_up_with_a_word_about_it(home: Path):
    with up(home, "redis") as running:
        running.wait_for("Ready")
        port = int(running.status()["KIJKO_REDIS_URL"].rsplit(":", 1)[1].split("/")[0])
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        with up(home, "redis") as moved:
            moved.wait_for("Ready")
            assert f"Port {port} (redis) was taken by another program" in moved.words
            assert redis.Redis.from_url(moved.status()["KIJKO_REDIS_URL"]).ping()


def test_two_stacks_cannot_use_one_home(home: Path):
    with up(home, "redis") as first:
        first.wait_for("Ready")
        with up(home, "redis") as second:
            assert second.exit_code() == 1
            assert "in use by another `kijko up`" in second.words
        assert redis.Redis.from_url(first.status()["KIJKO_REDIS_URL"]).ping()


def test_a_part_that_fails_to_start_is_named_with_its_last_words_and_all_else_is_stopped(home: Path):
    with up(home, "postgres,redis") as running:
        running.wait_for("Ready")
    for file in (home / "redis" / "appendonlydir").glob("*.manifest"):
        file.write_text("this is no manifest")
    with up(home, "postgres,redis") as broken:
        assert broken.exit_code() == 1
        assert "Redis ended while it was starting" in broken.words
        assert "manifest" in broken.words
        assert "Traceback" not in broken.words
    assert left_running(home, []) == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"KIJKO_DATABASE_URL": "postgresql://x"}, "KIJKO_DATABASE_URL is set, but KIJKO_DATABASE_API_URL is not"),
        ({"KIJKO_KEYCLOAK_URL": "http://x"}, "KIJKO_KEYCLOAK_URL is set, but KIJKO_KEYCLOAK_CLIENT_SECRET is not"),
        ({"KIJKO_KEYCLOAK_HOME": "/no/such"}, "KIJKO_KEYCLOAK_HOME is /no/such, but there is no unpacked Keycloak"),
        ({"KIJKO_PORT": "eighty"}, "KIJKO_PORT is eighty"),
    ],
)
def test_a_setting_that_cannot_work_is_said_in_a_sentence(home: Path, settings: dict[str, str], sentence: str):
    with up(home, **{"KIJKO_PORT": str(free_port())} | settings) as running:
        assert running.exit_code() == 2
        assert sentence in running.words
        assert "Traceback" not in running.words
    assert left_running(home, []) == []


def test_a_home_that_cannot_be_made_is_said_in_a_sentence(home: Path):
    home.write_text("a file")
    with up(home, "redis") as running:
        assert running.exit_code() == 1
        assert "Point KIJKO_HOME at a folder" in running.words


def test_a_disk_that_takes_no_more_is_said_in_a_sentence_and_nothing_stays_running(home: Path):
    small = 'ulimit -f 2000; exec "$@"'  # no file may grow beyond 1 MB: writing fails as on a full disk
    told = subprocess.run(
        ["/bin/sh", "-c", small, "sh", sys.executable, "-m", "kijko.cli", "up", "--only", "postgres,redis"],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert told.returncode == 1
    assert "File too large" in told.stderr
    assert "Traceback" not in told.stderr
    assert left_running(home, []) == []


def test_without_maven_the_first_start_says_how_else_to_get_keycloak(home: Path, tmp_path: Path):
    with up(home, "keycloak", PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache")) as running:
        assert running.exit_code() == 1
        assert "Install Maven" in running.words
        assert "KIJKO_KEYCLOAK_HOME" in running.words


def test_a_part_that_runs_elsewhere_is_used_and_not_started(home: Path):
    with up(home.with_name("other"), "redis") as elsewhere:
        elsewhere.wait_for("Ready")
        url = elsewhere.status()["KIJKO_REDIS_URL"]
        with up(home, "redis,mail", KIJKO_REDIS_URL=url) as running:
            running.wait_for("Ready")
            status = running.status()
            assert status["KIJKO_REDIS_URL"] == url
            assert "KIJKO_PID_REDIS" not in status
            assert "outside" in kijko(home, "status").stdout


def test_an_unknown_part_is_named_with_those_that_there_are(home: Path):
    told = kijko(home, "up", "--only", "postgres,mongodb")
    assert told.returncode == 1
    assert "no part named mongodb" in told.stderr
    assert "scheduler" in told.stderr


def test_asking_for_status_when_nothing_runs_says_how_to_start(home: Path):
    told = kijko(home, "status", "-o", "env")
    assert (told.returncode, told.stdout) == (1, "")
    assert "make up" in told.stderr


def test_secrets_and_state_are_readable_by_their_owner_alone(home: Path):
    with up(home, "redis") as running:
        running.wait_for("Ready")
        for name in ("secrets.json", "state.json", "redis/redis.conf"):
            assert (home / name).stat().st_mode & 0o077 == 0
        assert not any(running.status()["KIJKO_REDIS_URL"].split("@")[0][9:] in line for line in left_running(home, []))
