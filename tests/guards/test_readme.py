"""The README's commands are those that `make up` prints."""

from pathlib import Path

from kijko.commands.welcome import commands
from kijko.local.environment import DEV_PLAN

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_three_commands_are_the_printed_ones() -> None:
    for command in commands("http://127.0.0.1:8000", "demo@kijko.local", "dev-only-kijko-demo-1"):
        assert command in README


def test_the_demo_organizations_plan_is_the_one_that_is_seeded() -> None:
    assert f"The demo organization is on the plan `{DEV_PLAN}`" in README
    assert "QUOTA_EXCEEDED" in README
