"""The account itself: what a client asks to see that its key works."""

from kijko.local.stripe import params
from kijko.local.stripe.routing import Call, route
from kijko.local.stripe.store import Object


@route("GET", "/v1/account")
def retrieve_account(call: Call) -> Object:
    """The account that the key belongs to."""
    params.checked(call.form, {})
    return {
        "id": "acct_kijkolocal",
        "object": "account",
        "country": "NL",
        "default_currency": "eur",
        "charges_enabled": True,
        "payouts_enabled": True,
        "email": "dev-only@kijko.local",
        "metadata": {},
    }


@route("GET", "/v1/balance")
def retrieve_balance(call: Call) -> Object:
    """No money here."""
    params.checked(call.form, {})
    nothing = [{"amount": 0, "currency": "eur", "source_types": {"card": 0}}]
    return {"object": "balance", "available": nothing, "livemode": False, "pending": nothing}
