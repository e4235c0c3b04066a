"""An error that nobody expected: the person gets a number to quote, the log gets the trace."""

import logging

import httpx
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from kijko.middleware.last_resort import LastResort
from kijko.middleware.request_id import RequestId


def failing_with(error: Exception, *, after_start: bool = False) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if after_start:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    return RequestId(LastResort(app))


async def get(app: ASGIApp) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as http:
        return await http.get("/", headers={"X-Request-ID": "quote-me"})


async def test_the_answer_tells_nothing_but_the_request_id(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await get(failing_with(ZeroDivisionError("deep inside")))
    assert answer.status_code == 500
    assert answer.json()["code"] == "INTERNAL"
    assert answer.json()["requestId"] == "quote-me"
    assert "deep" not in answer.text
    assert "ZeroDivisionError" not in answer.text
    assert "ZeroDivisionError: deep inside" in caplog.text
    assert "Traceback" in caplog.text


async def test_a_client_that_left_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="kijko"), pytest.raises(AssertionError):  # there is no answer
        await get(failing_with(ClientDisconnect()))
    assert caplog.text == ""


async def test_an_answer_that_has_begun_is_not_begun_again(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(AssertionError):  # it is never completed
        await get(failing_with(ValueError("half way"), after_start=True))
    assert "ValueError: half way" in caplog.text
