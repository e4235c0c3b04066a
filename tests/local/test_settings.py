"""Every process of Kijko's ends with a sentence, and not with a traceback, when a setting keeps it from starting."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.local.running import environment

from kijko.local import serving

COMMANDS = {name: ("kijko.cli", name) for name in ("up", "migrate", "doctor", "seed", "openapi")}
PROCESSES = {"api": serving.API, "worker": serving.WORKER, "scheduler": serving.SCHEDULER}
SERVING = {
    "KIJKO_DATABASE_API_URL": "postgresql://nobody@127.0.0.1:1/none",
    "KIJKO_DATABASE_WORKER_URL": "postgresql://nobody@127.0.0.1:1/none",
    "KIJKO_REDIS_URL": "redis://127.0.0.1:1",
    "KIJKO_KEYCLOAK_URL": "http://127.0.0.1:1",
    "KIJKO_KEYCLOAK_CLIENT_SECRET": "dev-only",
    "KIJKO_STRIPE_SECRET_KEY": "sk_test_devonly",
    "KIJKO_STORAGE_URL": "file:///tmp",
    "KIJKO_AUTH_ENCRYPTION_KEY": "ZGV2LW9ubHktMzItYnl0ZXMtb2YtYS1rZXktaGVyZSE=",
    "KIJKO_KEYS_MASTER": "ZGV2LW9ubHktMzItYnl0ZXMtb2YtYS1rZXktaGVyZSE=",
}


def started(home: Path, arguments: tuple[str, ...], settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", *arguments],
        env=environment(home) | settings,
        cwd=home.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("name", [*COMMANDS, *PROCESSES])
def test_a_wrong_setting_ends_it_with_a_sentence_and_exit_code_2(home: Path, name: str):
    told = started(home, (COMMANDS | PROCESSES)[name], SERVING | {"KIJKO_PORT": "abc"})
    words = told.stdout + told.stderr
    assert told.returncode == 2, words
    assert "KIJKO_PORT is abc; it has to be a whole number from 1 to 65535." in words
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("api", "KIJKO_AUTH_ENCRYPTION_KEY"),
        ("api", "KIJKO_KEYS_MASTER"),
        ("worker", "KIJKO_KEYS_MASTER"),
        ("worker", "KIJKO_DATABASE_WORKER_URL"),
        ("scheduler", "KIJKO_STORAGE_URL"),
    ],
)
def test_a_missing_setting_ends_a_process_the_same_way(home: Path, name: str, missing: str):
    told = started(home, PROCESSES[name], SERVING | {missing: ""})
    assert (told.returncode, told.stderr) == (
        2,
        f"kijko: {missing} is not set. Set it in the environment, or start everything with `make up`.\n",
    )


@pytest.mark.parametrize("name", PROCESSES)
def test_a_key_of_the_file_store_without_its_secret_ends_a_process_the_same_way(home: Path, name: str):
    told = started(home, PROCESSES[name], SERVING | {"KIJKO_STORAGE_URL": "s3://b", "KIJKO_STORAGE_ACCESS_KEY_ID": "a"})
    assert (told.returncode, told.stderr) == (
        2,
        "kijko: KIJKO_STORAGE_SECRET_ACCESS_KEY is not set."
        " Set it in the environment, or start everything with `make up`.\n",
    )
