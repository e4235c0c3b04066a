"""What is written down agrees with the code."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kijko.core.errors import AppError
from kijko.main import create_app
from kijko.models.problem import status_of
from kijko.settings import Settings

_ROOT = Path(__file__).parents[2]
_ERRORS = (_ROOT / "docs" / "errors.md").read_text()


def kinds(kind: type[AppError]) -> Iterator[type[AppError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from kinds(each)


create_app(Settings())  # imports every feature
CODES = sorted(
    {(status_of(kind.__new__(kind)), kind.code) for kind in kinds(AppError) if kind.__module__.startswith("kijko.")}
)


@pytest.mark.parametrize(("status", "code"), CODES)
def test_every_code_is_in_the_list_of_errors_with_its_status(status: int, code: str) -> None:
    rows = [line for line in _ERRORS.splitlines() if line.startswith(f"| {int(status)} |") and f"`{code}`" in line]
    assert len(rows) == 1, f"docs/errors.md needs `{code}` in a row of status {int(status)}"


def test_every_page_that_a_document_links_to_is_there() -> None:
    pages = [*_ROOT.glob("*.md"), *_ROOT.glob("docs/**/*.md")]
    assert len(pages) > 5
    for page in pages:
        for part in page.read_text().split("](")[1:]:
            target = part.split(")")[0].split("#")[0]
            if target and "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
