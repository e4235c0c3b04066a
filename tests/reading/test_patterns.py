"""Patterns of files, held to what git itself says of them."""

import random
import subprocess
from pathlib import Path

import pytest

from kijko.services.reading import Selection

_NAMES = ("a", "b", "ab", "abc", "a.py", "b.txt", "x y", "é", "foo", "foo.py", "[a]", "a*b", "!x", "#x", "B", " ", "a ")
_PARTS = (
    "a",
    "b",
    "*",
    "**",
    "?",
    "[ab]",
    "[!a]",
    "[^b]",
    "[a-c]",
    "*.py",
    "foo*",
    "f?o",
    "\\*",
    "\\!x",
    "\\#x",
    "[[:alpha:]]",
    "x\\ y",
    "a\\ ",
    "é",
    "***",
    "a**",
    "**b",
    "[]a]",
    "[a",
    "[\\]]",
    "[z-a]",
    "\\",
)


def _git(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    done = subprocess.run(
        ["git", "-c", "core.quotePath=false", *arguments], cwd=folder, input=given, capture_output=True, check=False
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout


def _ignored(folder: Path, paths: list[str]) -> set[str]:
    given = b"".join(path.encode() + b"\0" for path in paths)
    return set(_git(folder, "check-ignore", "--no-index", "-z", "--stdin", given=given).decode().split("\0")) - {""}


def _lines(random_: random.Random) -> str:
    lines = []
    for _ in range(random_.randint(1, 6)):
        text = "/".join(random_.choice(_PARTS) for _ in range(random_.choice((1, 1, 1, 2, 2, 3))))
        text = (
            random_.choice(("", "", "", "/", "!", "!/", "**/"))
            + text
            + random_.choice(("", "", "", "/", "/**", "/*", " ", "  ", "\\ ", "\r"))
        )
        lines.append(text)
    return "\n".join(lines) + random_.choice(("", "\n", "\r\n"))


@pytest.mark.parametrize("seed", range(40))
def test_ignores_what_git_ignores(tmp_path: Path, seed: int) -> None:
    random_ = random.Random(seed)
    _git(tmp_path, "init", "-q")
    paths = sorted({"/".join(random_.choice(_NAMES) for _ in range(random_.randint(1, 4))) for _ in range(120)})
    files = [path for path in paths if not any(other.startswith(path + "/") for other in paths)]
    for path in files:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    folders = {""} | {path.rpartition("/")[0] for path in files}
    gitignores = {folder: _lines(random_) for folder in random_.sample(sorted(folders), min(4, len(folders)))}
    for folder, text in gitignores.items():
        (tmp_path / folder / ".gitignore").write_text(text, newline="")
    selection = Selection.of({folder: text.encode() for folder, text in gitignores.items()}, (), ())
    ours = {path for path in files if selection.skip(path, 1) == "ignored by .gitignore"}
    theirs = _ignored(tmp_path, files)
    assert ours == theirs, gitignores


@pytest.mark.parametrize("pattern", ["*a" * 100 + "b", "**/a" * 60 + "/b", "[a-z]*" * 100, "?*" * 200])
def test_no_pattern_takes_longer_than_its_path_is_long(pattern: str) -> None:
    selection = Selection.of({"": pattern.encode()}, [], [pattern])
    for _ in range(20):  # what grows with more than the length of the path would not come back
        selection.skip("a" * 2_000 + "c", 1)
        selection.skip("/".join(["a"] * 1_000), 1)


def test_ten_thousand_patterns_are_taken() -> None:
    lines = "\n".join(f"/folder{number}/*.{number}" for number in range(10_000)).encode()
    selection = Selection.of({"": lines}, (), ())
    assert selection.skip("folder7/x.7", 1) == "ignored by .gitignore"
    assert selection.skip("folder7/x.py", 1) is None


def test_many_hard_patterns_at_once_still_decide() -> None:
    lines = [f"**/{number}*a?b*c[d-f]*/**/*{number}" for number in range(800)]
    selection = Selection.of({"": "\n".join([*lines, "*.tmp"]).encode()}, (), ())
    assert selection.skip("some/where/deep/in/x.tmp", 1) == "ignored by .gitignore"
    assert selection.skip("some/where/deep/in/x.py", 1) is None
