"""Real time in a browser, on a page of the web app's origin: Socket.IO's own bundle, polling and then a WebSocket."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
from playwright.async_api import Page, Route
from redis import Redis

from tests.conftest import Person
from tests.projects.making import make_project
from tests.realtime.making import publish
from tests.realtime.node import place

Make = Callable[..., Person]
_APP = "http://localhost:3000"
_START = """
([url, token, room]) => new Promise((done, fail) => {
  window.heard = [];
  window.seen = "0";
  window.socket = io(url, { auth: { token }, reconnectionDelay: 50 });
  socket.on("progress_update", (data, about) => { heard.push(data.number); seen = about.id; });
  socket.on("connect_error", (error) => fail(error.message));
  socket.on("connect", () => socket.emit("join", { room, lastId: seen }, (answer) => done(answer.ok)));
})
"""


async def _app(route: Route) -> None:
    if route.request.url.endswith(".js"):
        bundle = place() / "node_modules" / "socket.io-client" / "dist" / "socket.io.min.js"
        await route.fulfill(path=bundle, content_type="text/javascript")
    else:
        await route.fulfill(body='<script src="/socket.io.js"></script>', content_type="text/html")


async def test_a_page_hears_everything_and_goes_on_after_it_was_cut_off(
    person: Make, owner: psycopg.Connection[Any], stack_env: dict[str, str], page: Page
) -> None:
    one = person()
    project = await make_project(one)
    room = f"project:{project['id']}"
    publish(owner, project, 1, 50)
    await asyncio.to_thread(place)
    await page.set_extra_http_headers({})  # which would be asked about by CORS
    await page.route(f"{_APP}/**", _app)
    await page.goto(_APP)
    assert await page.evaluate(_START, [stack_env["KIJKO_API_URL"], one.token, room]) is True
    await page.wait_for_function("heard.length >= 50")
    await page.wait_for_function("socket.io.engine.transport.name === 'websocket'")
    with Redis.from_url(stack_env["KIJKO_REDIS_URL"]) as redis:
        await asyncio.to_thread(publish, owner, project, 51, 80, tell=redis)
        await page.wait_for_function("heard.length >= 80")
        await page.evaluate("socket.io.engine.close()")
        await asyncio.to_thread(publish, owner, project, 81, 100, tell=redis)
        await page.wait_for_function("heard.length >= 100")
    assert await page.evaluate("heard") == list(range(1, 101))
