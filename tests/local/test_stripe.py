"""The stand-in for Stripe, driven by Stripe's own client and, where that refuses to err, by plain HTTP."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import stripe

from kijko.local.stack import Stack


@pytest.fixture
def client(stand_ins) -> stripe.StripeClient:
    return connect(stand_ins)


def connect(settings: dict[str, str]) -> stripe.StripeClient:
    return stripe.StripeClient(
        settings["KIJKO_STRIPE_SECRET_KEY"],
        base_addresses={"api": settings["KIJKO_STRIPE_API_BASE"]},
        http_client=stripe.HTTPXClient(allow_sync_methods=True),
        max_network_retries=0,
    )


@pytest.fixture
def wire(stand_ins) -> Iterator[httpx.Client]:
    key = stand_ins["KIJKO_STRIPE_SECRET_KEY"]
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=stand_ins["KIJKO_STRIPE_API_BASE"], headers=headers) as each:
        yield each


def test_a_customer_can_be_made_read_changed_and_deleted(client):
    made = client.v1.customers.create({"email": "a@example.test", "metadata": {"organization_id": "1", "x": "2"}})
    assert made.id.startswith("cus_")
    changed = client.v1.customers.update(made.id, {"name": "Ada", "metadata": {"x": "", "y": "3"}})
    assert changed.metadata.to_dict() == {"organization_id": "1", "y": "3"}
    read = client.v1.customers.retrieve(made.id)
    assert (read.email, read.name, read.livemode) == ("a@example.test", "Ada", False)
    assert client.v1.customers.delete(made.id).deleted
    assert client.v1.customers.retrieve(made.id).deleted
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.update(made.id, {"name": "Grace"})
    assert refused.value.code == "resource_missing"


async def test_the_async_client_works_too(client):
    made = await client.v1.customers.create_async({"address": {"country": "NL"}, "preferred_locales": ["nl", "en"]})
    assert made.address.country == "NL"
    assert made.preferred_locales == ["nl", "en"]
    assert (await client.v1.customers.retrieve_async(made.id)).id == made.id


def test_an_unknown_parameter_is_refused_by_its_name(client):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.create({"emial": "a@example.test"})
    assert (refused.value.http_status, refused.value.code, refused.value.param) == (400, "parameter_unknown", "emial")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.create({"address": {"street": "x"}})
    assert refused.value.param == "address[street]"


def test_a_customer_that_never_was_is_missing(client):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.retrieve("cus_never")
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")
    assert refused.value.request_id.startswith("req_")


def test_a_wrong_key_is_refused(stand_ins):
    with pytest.raises(stripe.AuthenticationError):
        connect({**stand_ins, "KIJKO_STRIPE_SECRET_KEY": "sk_test_wrong"}).v1.balance.retrieve()


def test_the_same_key_and_parameters_get_the_first_answer_again(client):
    options = {"idempotency_key": "make-ada"}
    first = client.v1.customers.create({"name": "Ada"}, options)
    again = client.v1.customers.create({"name": "Ada"}, options)
    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError):
        client.v1.customers.create({"name": "Grace"}, options)


def test_a_refused_request_does_not_use_up_its_key(client):
    options = {"idempotency_key": "second-try"}
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.create({"balance": "much"}, options)
    assert client.v1.customers.create({"balance": 1}, options).balance == 1


def test_lists_page_newest_first_and_filter_by_email(client):
    made = [client.v1.customers.create({"email": "pages@example.test", "name": str(n)}).id for n in range(5)]
    client.v1.customers.create({"email": "else@example.test"})
    page = client.v1.customers.list({"email": "pages@example.test", "limit": 2})
    assert [each.id for each in page.data] == made[:2:-1]
    assert page.has_more
    assert [each.id for each in page.auto_paging_iter()] == made[::-1]
    back = client.v1.customers.list({"email": "pages@example.test", "limit": 2, "ending_before": made[0]})
    assert [each.id for each in back.data] == [made[2], made[1]]
    assert client.v1.customers.list({"created": {"gt": page.data[0].created + 60}}).data == []


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "starting_after=cus_none", "order=asc"])
def test_a_list_refuses_what_stripe_refuses(wire, query):
    answer = wire.get(f"/v1/customers?{query}")
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["param"] == query.split("=")[0]


@pytest.mark.parametrize("body", ["a[b]=1&a=2", "[x]=1", "metadata[a][b]=1", "email=none", "a" + "[b]" * 20 + "=1"])
def test_a_malformed_body_is_a_400_and_never_a_500(wire, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = wire.post("/v1/customers", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_an_unknown_address_is_a_404_with_an_error_of_stripes_form(wire):
    answer = wire.post("/v1/no_such_thing")
    assert answer.status_code == 404
    assert "Unrecognized request URL" in answer.json()["error"]["message"]


def test_the_account_and_the_balance_answer(client):
    assert client.v1.balance.retrieve().available[0].currency == "eur"
    assert client.v1.accounts.retrieve_current().country == "NL"


def test_customers_and_kept_answers_survive_a_restart(clean_environ):
    with tempfile.TemporaryDirectory(prefix="kijko-test-") as folder:
        home = Path(folder) / "home"
        options = {"idempotency_key": "once"}
        with Stack(home, parts=("stripe",), environ=clean_environ) as stack:
            made = connect(stack.environment()).v1.customers.create({"name": "Ada"}, options)
        with Stack(home, parts=("stripe",), environ=clean_environ) as stack:
            client = connect(stack.environment())
            assert client.v1.customers.retrieve(made.id).name == "Ada"
            assert client.v1.customers.create({"name": "Ada"}, options).id == made.id
