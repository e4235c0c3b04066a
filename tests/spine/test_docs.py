"""The documentation's page: whole, from this server alone, and with a way to sign in."""

import asyncio
import re
from collections.abc import Callable

import httpx

from kijko.main import create_app
from kijko.settings import Settings
from tests.spine.conftest import Served, get
from tests.spine.test_problems import problem


async def test_the_page_needs_nothing_from_another_server(api: httpx.AsyncClient) -> None:
    page = await api.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    wanted = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(wanted) == 6
    for address in wanted:
        assert "//" not in address
        answer = await api.get(f"/{address}")
        assert answer.status_code == 200, address
        assert len(answer.content) > 100


async def test_the_page_runs_no_script_but_files_of_this_server(api: httpx.AsyncClient) -> None:
    page = await api.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"<script>|<script[^>]*>[^<]|\son\w+=", page.text)


async def test_the_kinds_of_the_files_are_right(api: httpx.AsyncClient) -> None:
    kinds = {"docs.js": "text/javascript", "swagger-ui.css": "text/css", "favicon-32x32.png": "image/png"}
    for name, kind in kinds.items():
        assert (await api.get(f"/docs/{name}")).headers["content-type"].startswith(kind)


async def test_no_other_file_can_be_asked_for(api: httpx.AsyncClient) -> None:
    for name in ("__init__.py", "..%2fmain.py", "docs.html", "%2e%2e"):
        problem(await api.get(f"/docs/{name}"), 404, "NOT_FOUND")


async def test_production_shows_no_documentation_unless_told_to(serve: Callable[..., Served]) -> None:
    hidden = serve(KIJKO_ENVIRONMENT="production")
    for path in ("/docs", "/docs/docs.js", "/openapi.json"):
        assert (await get(hidden.url + path)).status_code == 404
    shown = serve(KIJKO_ENVIRONMENT="production", KIJKO_HTTP_DOCS="true")
    assert (await get(shown.url + "/docs")).status_code == 200


async def test_others_are_answered_while_the_document_is_made_which_is_made_once() -> None:
    app = create_app(Settings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kijko.test") as client:
        first, second = (asyncio.create_task(client.get("/openapi.json")) for _ in range(2))
        await asyncio.sleep(0.01)
        assert (await client.get("/health/live")).status_code == 200
        assert not first.done()
        assert not second.done()
        assert (await first).json() == (await second).json()
    assert app.openapi() is app.openapi()
