"""A real browser: Debian's Chromium, or another one of its family that is installed here."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright

from tests.conftest import fresh_address

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_FLAGS = (
    "--no-sandbox",  # root has none, and the only page that is opened is ours
    "--disable-gpu",
    # A page of the app's origin, which the test itself writes, asks the API on this machine.
    "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
    # The browser is to ask for nothing of its own accord.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def program() -> str | None:
    """The browser that CHROMIUM names, else the first one on the PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """An empty page in a browser of its own, at an address of its own."""
    chromium = program()
    if chromium is None:
        pytest.skip(f"no browser: install Chromium, or name one in CHROMIUM (looked for {', '.join(_NAMES)})")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        yield await browser.new_page(extra_http_headers={"X-Forwarded-For": fresh_address()})
        await browser.close()
