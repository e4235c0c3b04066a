"""The documentation's page as a person uses it: signs in at the top, tries an operation, stays signed in, signs out."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Locator, Page, Request, Route, expect

from tests.auth.conftest import account  # noqa: F401  # a fixture

_BEFORE_IT_EXPIRES_MS = 280_000


@dataclass
class Docs:
    """The page, open, and what it asked for and complained of."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def open(self, url: str) -> None:
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console", lambda said: self.complaints.append(said.text) if "Security Policy" in said.text else None
        )
        await self.page.clock.install()
        await self.page.goto(f"{url}/docs")

    @property
    def form(self) -> Locator:
        return self.page.get_by_role("form", name="Sign in")

    @property
    def says(self) -> Locator:
        return self.form.get_by_role("status")

    async def sign_in(self, email: str, password: str) -> None:
        await self.form.get_by_label("E-mail").fill(email)
        await self.form.get_by_label("Password").fill(password)
        await self.form.get_by_role("button", name="Sign in").click()

    async def try_out(self, operation: str, expected: int) -> Request:
        """Execute an operation that needs nothing filled in; the page shows an answer of this status."""
        block = self.page.locator(f".opblock[id$='-{operation}']")
        execute = block.get_by_role("button", name="Execute")
        if not await execute.is_visible():
            await block.locator(".opblock-summary-control").click()
        async with self.page.expect_request_finished(_is_tried) as finished:
            await execute.click()
        request = await finished.value
        answer = await request.response()
        assert answer is not None
        assert answer.status == expected
        await expect(block.locator(".live-responses-table .response-col_status").last).to_contain_text(str(expected))
        return request


def _is_tried(request: Request) -> bool:
    """Whether an operation asked for it: the form at the top asks for sessions by itself."""
    return "/api/" in request.url and not request.url.endswith(("/login", "/refresh"))


@pytest.fixture
async def docs(page: Page, stack_env: dict[str, str]) -> Docs:
    one = Docs(page)
    await one.open(stack_env["KIJKO_API_URL"])
    return one


async def test_who_signs_in_on_the_page_tries_operations_as_themselves_and_stays_signed_in(
    docs: Docs,
    account: Callable[..., Any],  # noqa: F811  # the fixture
    stack_env: dict[str, str],
) -> None:
    somebody = await account()
    await docs.sign_in(somebody.email, somebody.password)
    await expect(docs.says).to_have_text(f"Signed in as {somebody.email}.")
    await expect(docs.form.get_by_label("Password")).to_be_hidden()
    first = await docs.try_out("auth_me", 200)
    await expect(docs.page.locator(".live-responses-table")).to_contain_text(somebody.email)

    async with docs.page.expect_response("**/api/auth/refresh") as renewed:
        await docs.page.clock.fast_forward(_BEFORE_IT_EXPIRES_MS)
    assert (await renewed.value).status == 200
    second = await docs.try_out("auth_me", 200)
    assert first.headers["authorization"] != second.headers["authorization"]

    await docs.form.get_by_role("button", name="Sign out").click()
    await expect(docs.says).to_have_text("Signed out.")
    assert "authorization" not in (await docs.try_out("auth_me", 401)).headers
    assert await somebody.status_of(second.headers["authorization"].removeprefix("Bearer ")) == 401

    assert {urlsplit(url).netloc for url in docs.asked} == {urlsplit(stack_env["KIJKO_API_URL"]).netloc}
    assert docs.complaints == []


async def test_who_signs_in_before_the_document_is_there_is_signed_in_when_it_is(
    page: Page,
    account: Callable[..., Any],  # noqa: F811  # the fixture
    stack_env: dict[str, str],
) -> None:
    somebody, signed_in = await account(), asyncio.Event()

    async def late(route: Route) -> None:
        await signed_in.wait()
        await asyncio.sleep(0.5)
        await route.continue_()

    await page.route("**/openapi.json", late)
    docs = Docs(page)
    await docs.open(stack_env["KIJKO_API_URL"])
    page.on("response", lambda answer: signed_in.set() if answer.url.endswith("/login") else None)
    await docs.sign_in(somebody.email, somebody.password)
    await expect(docs.says).to_have_text(f"Signed in as {somebody.email}.")
    await docs.try_out("auth_me", 200)


async def test_a_wrong_password_is_said_and_the_next_try_may_be_right(
    docs: Docs,
    account: Callable[..., Any],  # noqa: F811  # the fixture
) -> None:
    somebody = await account()
    await docs.sign_in(somebody.email, "dev-only-wrong")
    await expect(docs.says).to_contain_text("password is wrong")
    await docs.try_out("auth_me", 401)
    await docs.sign_in(somebody.email, somebody.password)
    await expect(docs.says).to_have_text(f"Signed in as {somebody.email}.")
    await docs.try_out("auth_me", 200)
    assert docs.complaints == []


async def test_it_fits_a_telephone(docs: Docs) -> None:
    await docs.page.set_viewport_size({"width": 360, "height": 740})
    await expect(docs.page.locator(".opblock").first).to_be_visible()
    wide = await docs.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360
