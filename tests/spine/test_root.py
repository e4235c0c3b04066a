"""The server's own address says what it is and where to go on."""

import httpx

from kijko.main import create_app
from kijko.settings import Http, Settings


async def test_the_servers_address_leads_on(api: httpx.AsyncClient) -> None:
    answer = await api.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    told = answer.json()
    assert told["name"] == "Kijko"
    assert told["version"] == (await api.get("/health")).json()["version"]
    links = told["links"]
    assert links == {"docs": "/docs", "openapi": "/openapi.json", "health": "/health"}
    for place in (links["docs"], links["openapi"], links["health"]):
        assert (await api.get(place)).status_code == 200


async def test_a_documentation_that_is_not_served_is_not_named() -> None:
    app = create_app(Settings(http=Http(docs=False)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kijko.test") as client:
        links = (await client.get("/")).json()["links"]
    assert (links["docs"], links["openapi"], links["health"]) == (None, None, "/health")
