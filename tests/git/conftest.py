"""A git server and a client that may call it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kijko.clients.git import Git
from kijko.settings import Git as GitSettings
from tests.fakes.git_server import GitServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "served") as made:
        yield made


@pytest.fixture
def settings(server: GitServer) -> GitSettings:
    return GitSettings(allowed_hosts=frozenset({server.pair}), answer_s=5, fetch_s=30)


@pytest.fixture
def client(settings: GitSettings) -> Git:
    return Git(settings)
