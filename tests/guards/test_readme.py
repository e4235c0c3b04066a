"""The README's commands are those that `make up` prints."""

from pathlib import Path

from kijko.commands.welcome import commands

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_three_commands_are_the_printed_ones() -> None:
    for command in commands("http://127.0.0.1:8000", "demo@kijko.local", "dev-only-kijko-demo-1"):
        assert command in README
