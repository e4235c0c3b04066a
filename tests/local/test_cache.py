"""The shared cache: whatever is made there is made once and never seen half made."""

import threading
import time
from pathlib import Path

import pytest

from kijko.local import cache, java
from kijko.local.errors import StackError


def test_many_who_ask_at_once_get_the_one_entry_that_was_made(tmp_path: Path):
    made: list[Path] = []
    found: list[str] = []

    def make(folder: Path) -> None:
        made.append(folder)
        time.sleep(0.1)
        (folder / "content").write_text("whole")

    def ask() -> None:
        found.append((cache.built(tmp_path, "thing", make) / "content").read_text())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["whole"] * 8
    assert len(made) == 1


def test_what_fails_half_way_leaves_nothing_and_can_be_made_later(tmp_path: Path):
    def fail(folder: Path) -> None:
        (folder / "content").write_text("half")
        raise StackError("no")

    with pytest.raises(StackError):
        cache.built(tmp_path, "thing", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["thing.lock"]
    entry = cache.built(tmp_path, "thing", lambda folder: None)
    assert entry.is_dir()


def test_a_full_disk_is_a_sentence(tmp_path: Path):
    def fill(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StackError, match=r"No space left on device.*Make room"):
        cache.built(tmp_path, "thing", fill)


def test_a_java_that_does_not_run_is_none(tmp_path: Path):
    broken = tmp_path / "java"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert java.version(broken) is None
    assert java.version(tmp_path / "missing") is None
