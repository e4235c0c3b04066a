"""A page in a real browser hears a project, with the standard client of Socket.IO."""

import asyncio
from collections.abc import Callable

from playwright.async_api import Page
from redis import Redis

from tests.conftest import Person
from tests.projects.making import make_project
from tests.realtime.making import Owner, publish
from tests.realtime.node import place

Make = Callable[..., Person]
_LISTEN = """async ({url, token, room}) => {
  const socket = window.io(url, {auth: {token}});
  window.heard = [];
  window.socket = socket;
  socket.on('progress_update', (data) => window.heard.push(data.number));
  return await new Promise((done, broke) => {
    socket.on('connect', async () => done(await socket.emitWithAck('join', {room, lastId: '0'})));
    socket.on('connect_error', broke);
  });
}"""


async def test_a_page_hears_what_was_and_what_comes(
    person: Make, owner: Owner, stack_env: dict[str, str], page: Page
) -> None:
    one = person()
    project = await make_project(one)
    room = f"project:{project['id']}"
    publish(owner, project, 1, 3)
    client = await asyncio.to_thread(place)
    url = stack_env["KIJKO_API_URL"]
    # An empty page at the API's own address: what it loads is the client alone.
    await page.route(f"{url}/a-page", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    await page.goto(f"{url}/a-page")
    await page.add_script_tag(path=client / "node_modules" / "socket.io-client" / "dist" / "socket.io.min.js")
    joined = await page.evaluate(_LISTEN, {"url": url, "token": one.token, "room": room})
    assert joined == {"ok": True, "room": room, "lastId": "3"}
    with Redis.from_url(stack_env["KIJKO_REDIS_URL"]) as redis:
        await asyncio.to_thread(publish, owner, project, 4, 6, tell=redis)
    await page.wait_for_function("window.heard.length >= 6")
    assert await page.evaluate("window.heard") == [1, 2, 3, 4, 5, 6]
    assert await page.evaluate("window.socket.io.engine.transport.name") in {"polling", "websocket"}
