"""Clients with an organization's own key: kept while it is the same, replaced with it, and never too many."""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from kijko.clients.llm import ModelCall, ModelFailure, Models, OwnKey
from kijko.settings import Models as ModelSettings
from tests.fakes import models as fake

MODEL = "gpt-5.4-mini"


class Keys:
    """What organizations have now."""

    def __init__(self) -> None:
        self.kept: dict[uuid.UUID, OwnKey] = {}

    def put(self, organization: uuid.UUID, secret: str) -> None:
        self.kept[organization] = OwnKey(uuid.uuid4(), secret)

    async def of(self, organization: uuid.UUID, _: str) -> OwnKey | None:
        return self.kept.get(organization)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    url, server = fake.serve()
    yield url
    server.shutdown()


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
async def models(address: str, keys: Keys) -> AsyncIterator[Models]:
    settings = ModelSettings(openai_base_url=address + "/v1", timeout_s=1)
    made = Models(settings, keys.of)
    yield made
    await made.close()


async def key_of(models: Models, organization: uuid.UUID) -> str:
    """The key that a call is made with."""
    provider = await models.prepare(MODEL, organization)
    return (await provider.run(ModelCall(MODEL, "[key]"))).text.split(": ")[-1]


async def test_a_client_is_kept_as_long_as_its_key_and_no_longer(models: Models, keys: Keys) -> None:
    one, other = uuid.uuid4(), uuid.uuid4()
    keys.put(one, "first")
    keys.put(other, "of the other")
    before = await models.prepare(MODEL, one)
    assert await models.prepare(MODEL, one) is before
    assert (await key_of(models, one), await key_of(models, other)) == ("first", "of the other")
    keys.put(one, "second")
    assert await models.prepare(MODEL, one) is not before
    assert await key_of(models, one) == "second"
    # A call that had its client before the key was changed goes on with it.
    assert (await before.run(ModelCall(MODEL, "[key]"))).text.endswith("first")
    del keys.kept[one]
    with pytest.raises(ModelFailure, match="no API key for OpenAI"):  # the server has none here
        await models.prepare(MODEL, one)


async def test_only_so_many_are_kept(models: Models, keys: Keys) -> None:
    organizations = [uuid.uuid4() for _ in range(65)]
    for organization in organizations:
        keys.put(organization, organization.hex)
    first = await models.prepare(MODEL, organizations[0])
    second = await models.prepare(MODEL, organizations[1])
    for organization in (*organizations[2:64], organizations[0], organizations[64]):
        await models.prepare(MODEL, organization)
    assert await models.prepare(MODEL, organizations[0]) is first
    assert await models.prepare(MODEL, organizations[1]) is not second  # the one that was not used longest
    assert await key_of(models, organizations[1]) == organizations[1].hex


async def test_without_an_organization_the_servers_key_is_used(address: str, keys: Keys) -> None:
    made = Models(ModelSettings(openai_base_url=address + "/v1", openai_api_key="of the server"), keys.of)
    assert (await made.run(ModelCall(MODEL, "[key]"))).text.endswith("of the server")
    assert await key_of(made, uuid.uuid4()) == "of the server"
    await made.close()
