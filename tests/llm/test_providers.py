"""The providers' clients against their wire formats: answers, tokens, prices, and every way to fail."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from urllib.parse import quote_plus

import httpx
import pytest

from kijko.clients import llm
from kijko.clients.llm import failures
from kijko.core.tokenizer import count
from kijko.settings import Models
from tests.fakes import models as fake

_MODELS = {"anthropic": "claude-sonnet-5", "openai": "gpt-5.4-mini", "google": "gemini-2.5-flash"}
_PROVIDERS = sorted(_MODELS)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    url, server = fake.serve()
    yield url
    server.shutdown()


@pytest.fixture
async def models(address: str) -> AsyncIterator[llm.Models]:
    made = llm.Models(
        Models(
            anthropic_api_key="k",
            anthropic_base_url=address,
            openai_api_key="k",
            openai_base_url=address + "/v1",
            google_api_key="k",
            google_base_url=address,
            timeout_s=1,
        )
    )
    yield made
    await made.close()


@pytest.mark.parametrize("provider", _PROVIDERS)
async def test_an_answer_has_its_text_model_and_tokens(models: llm.Models, provider: str) -> None:
    answer = await models.run(llm.ModelCall(_MODELS[provider], "Hello", {"max_tokens": 100, "temperature": 0.5}))
    assert answer.text.endswith("says: Hello")
    assert answer.provider == provider
    assert answer.model == _MODELS[provider]
    assert answer.completion_tokens == 200
    assert answer.prompt_tokens == (1800 if provider == "anthropic" else 1000)


@pytest.mark.parametrize("provider", _PROVIDERS)
async def test_a_system_prompt_goes_where_the_provider_has_a_place_for_it(models: llm.Models, provider: str) -> None:
    answer = await models.run(llm.ModelCall(_MODELS[provider], "Hello", system="Be brief"))
    assert answer.text.endswith("says: (Be brief) Hello")


@pytest.mark.parametrize(
    ("said", "code", "ran"),
    [
        ("[429]", "PROVIDER_RATE_LIMITED", False),
        ("[529]", "PROVIDER_OVERLOADED", False),
        ("[500]", "PROVIDER_OVERLOADED", False),
        ("[401]", "PROVIDER_AUTH", False),
        ("[413]", "CONTEXT_TOO_LONG", False),
        ("[refuse]", "CONTENT_REFUSED", True),
        ("[hang]", "TIMEOUT", True),
    ],
)
@pytest.mark.parametrize("provider", _PROVIDERS)
async def test_each_failure_becomes_the_contracts_code_and_a_sentence(
    models: llm.Models, provider: str, said: str, code: str, ran: bool
) -> None:
    with pytest.raises(llm.ModelFailure) as caught:
        await models.run(llm.ModelCall(_MODELS[provider], f"{provider} {said}"))
    assert caught.value.code == code
    assert caught.value.ran is ran
    assert caught.value.detail.endswith(".")


@pytest.mark.parametrize("provider", _PROVIDERS)
async def test_a_provider_that_is_not_there_is_an_overload(provider: str) -> None:
    settings = Models.model_validate({f"{provider}_api_key": "k", f"{provider}_base_url": "http://127.0.0.1:9"})
    models = llm.Models(settings)
    with pytest.raises(llm.ModelFailure) as caught:
        await models.run(llm.ModelCall(_MODELS[provider], "Hello"))
    assert caught.value.code == "PROVIDER_OVERLOADED"
    await models.close()


@pytest.mark.parametrize("provider", _PROVIDERS)
async def test_a_missing_key_names_the_setting(provider: str) -> None:
    with pytest.raises(llm.ModelFailure) as caught:
        await llm.Models(Models()).run(llm.ModelCall(_MODELS[provider], "Hello"))
    assert caught.value.code == "PROVIDER_AUTH"
    assert f"KIJKO_MODELS_{provider.upper()}_API_KEY" in caught.value.detail


async def test_a_cancelled_call_is_dropped(models: llm.Models) -> None:
    task = asyncio.create_task(models.run(llm.ModelCall("claude-sonnet-5", "cancel [hang]")))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_fresh_cached_and_written_tokens_are_priced_once_each() -> None:
    # USD a million tokens, Anthropic's price list: 2 fresh, 0.20 read, 2.50 written, 10 out.
    answer = llm.ModelAnswer("", "anthropic", "claude-sonnet-5", 1800, 200, 500, 300)
    fresh, read, written, out = 1000 * 2, 500 * Decimal("0.20"), 300 * Decimal("2.50"), 200 * 10
    assert llm.cost_cents(answer) == (fresh + read + written + out) / 1_000_000 * 100


def test_an_unknown_price_is_none_and_echo_is_free() -> None:
    assert llm.cost_cents(llm.ModelAnswer("", "anthropic", "claude-of-tomorrow", 1, 1)) is None
    assert llm.cost_cents(llm.ModelAnswer("", "local", "echo", 1, 1)) == 0


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("echo", "local"),
        ("claude-sonnet-4-5-20250929", "anthropic"),
        ("gpt-5.4-mini", "openai"),
        ("gemini-2.5-flash", "google"),
        ("claude-of-tomorrow", None),
        ("llama-3", None),
        ("", None),
    ],
)
def test_a_model_is_known_by_the_name_its_provider_gives_it(model: str, provider: str | None) -> None:
    assert llm.provider_of(model) == provider


# ---- streaming -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", _PROVIDERS)
async def test_text_is_heard_as_it_comes(models: llm.Models, provider: str) -> None:
    heard: list[float] = []
    progress = llm.Progress(lambda _: heard.append(asyncio.get_running_loop().time()))
    answer = await models.run(llm.ModelCall(_MODELS[provider], f"{provider} [slow 4 0.2]"), progress)
    assert answer.text == progress.text == "word0 word1 word2 word3 "
    assert len(heard) == 4
    assert heard[-1] - heard[0] > 0.1  # all at once would be none
    assert not answer.estimated


@pytest.mark.parametrize("provider", _PROVIDERS)
@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("[cut]", "PROVIDER_OVERLOADED"),
        ("[error]", "PROVIDER_OVERLOADED"),
        ("[garbage]", "PROVIDER_OVERLOADED"),
        ("[stall]", "TIMEOUT"),
    ],
)
async def test_what_goes_wrong_in_mid_stream_has_a_code_and_what_was_used(
    models: llm.Models, provider: str, said: str, code: str
) -> None:
    progress, call = llm.Progress(), llm.ModelCall(_MODELS[provider], f"{provider} {said}")
    with pytest.raises(llm.ModelFailure) as caught:
        await models.run(call, progress)
    assert (caught.value.code, caught.value.ran) == (code, True)
    assert caught.value.detail.endswith(".")
    used = progress.used(call)
    assert used is not None
    assert used.estimated
    assert used.text == progress.text != ""
    # Anthropic and Google tell the prompt's tokens at once, OpenAI all at the end: that is counted here.
    assert used.prompt_tokens == {"anthropic": 1800, "google": 1000}.get(provider, count(call.prompt))
    assert used.completion_tokens >= count(used.text) > 0


@pytest.mark.parametrize("provider", _PROVIDERS)
@pytest.mark.parametrize("said", ["[wrong usage]", "[no usage]"])
async def test_tokens_that_cannot_be_true_are_counted_here(models: llm.Models, provider: str, said: str) -> None:
    call = llm.ModelCall(_MODELS[provider], f"{provider} {said}", system="Be brief")
    answer = await models.run(call)
    assert answer.estimated
    assert answer.prompt_tokens == count(call.prompt) + count("Be brief")
    assert (answer.cache_read_tokens, answer.cache_write_tokens) == (0, 0)
    assert answer.completion_tokens == count(answer.text)


@pytest.mark.parametrize("provider", _PROVIDERS)
async def test_a_retry_after_is_told_wherever_the_provider_puts_it(models: llm.Models, provider: str) -> None:
    with pytest.raises(llm.ModelFailure) as caught:
        await models.run(llm.ModelCall(_MODELS[provider], f"{provider} [429 after 7]"))
    assert caught.value.retry_after_s == 7


@pytest.mark.parametrize("provider", _PROVIDERS)
@pytest.mark.parametrize(
    ("said", "code"),
    [("[403]", "PROVIDER_AUTH"), ("[404]", "INTERNAL"), ("[400]", "INTERNAL"), ("[too long]", "CONTEXT_TOO_LONG")],
)
async def test_what_is_refused_before_it_began_used_nothing(
    models: llm.Models, provider: str, said: str, code: str
) -> None:
    with pytest.raises(llm.ModelFailure) as caught:
        await models.run(llm.ModelCall(_MODELS[provider], f"{provider} {said}"))
    assert (caught.value.code, caught.value.ran) == (code, False)
    assert caught.value.detail.endswith(".")


@pytest.mark.parametrize("provider", _PROVIDERS)
@pytest.mark.parametrize("said", ["[hang]", "[stall]", "[slow 50 0.1]"])
async def test_a_dropped_call_is_dropped_at_the_provider_too(
    models: llm.Models, address: str, provider: str, said: str
) -> None:
    prompt = f"{provider} drop {said}"
    task = asyncio.create_task(models.run(llm.ModelCall(_MODELS[provider], prompt)))
    await asyncio.sleep(0.4)
    task.cancel()
    cancelled = time.time()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with httpx.AsyncClient() as http:
        for _ in range(20):
            closed = (await http.get(address + "/closed?" + quote_plus(prompt))).json()
            if closed is not None:
                break
            await asyncio.sleep(0.1)
    assert closed is not None
    assert closed - cancelled < 1


@pytest.mark.parametrize(
    ("header", "seconds"), [(None, None), ("7", 7), ("0.5", 0.5), ("-3", 0), ("soon", None), ("", None)]
)
def test_a_retry_after_is_a_number(header: str | None, seconds: float | None) -> None:
    assert failures.retry_after(header) == seconds


def test_a_retry_after_may_be_a_date() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 25 < (failures.retry_after(at) or 0) <= 30


@pytest.mark.parametrize(
    ("status", "said"),
    [(429, "insufficient_quota You exceeded your current quota"), (400, "Your credit balance is low")],
)
def test_an_account_without_credit_is_not_tried_again(status: int, said: str) -> None:
    assert failures.of_status("OpenAI", status, said).code == "PROVIDER_AUTH"


async def test_echo_tells_its_text_word_by_word_where_it_is_asked_to() -> None:
    progress = llm.Progress()
    text = "stream:0.1 one two three"
    answer = await llm.Models(Models()).run(llm.ModelCall("echo", text), progress)
    assert progress.pieces == ["stream:0.1 ", "one ", "two ", "three"]
    assert answer.text == progress.text == text
