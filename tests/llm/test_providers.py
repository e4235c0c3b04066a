"""The providers' clients against their wire formats: answers, tokens, prices, and every way to fail."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

import pytest

from kijko.clients import llm
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
