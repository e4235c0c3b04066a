"""Stacks of their own for the tests of the local stack, so that killing things disturbs nobody."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kijko.local.stack import Stack


@pytest.fixture
def home() -> Iterator[Path]:
    """A home that no other test uses."""
    with tempfile.TemporaryDirectory(prefix="kijko-test-") as folder:
        yield Path(folder) / "home"


@pytest.fixture
def clean_environ() -> dict[str, str]:
    """This process's environment without any setting of Kijko's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("KIJKO_")}


@pytest.fixture(scope="module")
def stand_ins() -> Iterator[dict[str, str]]:
    """The mail catcher and the stand-in for Stripe, running; their settings."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KIJKO_")}
    with (
        tempfile.TemporaryDirectory(prefix="kijko-test-") as folder,
        Stack(Path(folder) / "home", parts=("mail", "stripe"), environ=environ) as stack,
    ):
        yield stack.environment()
