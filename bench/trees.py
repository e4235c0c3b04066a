"""Trees to ingest: a large package's sources from the registry, and made ones of many small files."""

import os
import random
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path

from tests.fakes.git_server import GitServer, Repository

from kijko.local.cache import built, user_cache

PACKAGE = "sympy==1.14.0"
"""1,977 files, 30 MB."""


def package() -> Path:
    """The package's sources, downloaded once by pip into the cache folder."""
    place = built(user_cache(os.environ) / "bench", PACKAGE, _download)
    return next(each for each in place.iterdir() if each.is_dir())


def _download(place: Path) -> None:
    name = PACKAGE.partition("==")[0]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name]
    subprocess.run([*pip, "--dest", str(place), PACKAGE], check=True)
    with tarfile.open(next(place.glob("*.tar.gz"))) as archive:
        archive.extractall(place, filter="data")


def committed(server: GitServer, tree: Path) -> Repository:
    """A repository of that tree, behind the server."""
    made = server.repository(f"bench/{uuid.uuid4().hex[:10]}")
    git = [
        "git",
        f"--git-dir={made.folder}",
        f"--work-tree={tree}",
        "-c",
        "user.name=Bench",
        "-c",
        "user.email=b@b.test",
    ]
    subprocess.run([*git, "add", "--all", "--force", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message=All of it"], check=True)
    return made


def small_files(server: GitServer, count: int) -> Repository:
    """A repository of so many small Python files."""
    chance = random.Random(count)
    made = server.repository(f"bench/{uuid.uuid4().hex[:10]}")
    for start in range(0, count, 5000):
        files = {
            f"pkg{number % 97}/module_{number}.py": "".join(
                f"def step_{chance.randrange(10_000)}(value):\n    return value + {chance.random()}\n\n\n"
                for _ in range(20)
            )
            for number in range(start, min(start + 5000, count))
        }
        made.commit(dict(files))
    return made
