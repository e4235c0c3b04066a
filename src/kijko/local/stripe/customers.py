"""Customers: create, retrieve, update, list, delete."""

import secrets
from typing import Any

from kijko.local.stripe import lists, params
from kijko.local.stripe.errors import StripeError, missing
from kijko.local.stripe.routing import Call, route
from kijko.local.stripe.store import Object

_ADDRESS = params.hash_of(
    {each: params.text() for each in ("city", "country", "line1", "line2", "postal_code", "state")}
)
_KNOWN: dict[str, params.Check] = {
    "address": _ADDRESS,
    "balance": params.integer(),
    "description": params.text(),
    "email": params.text(512),
    "invoice_prefix": params.text(12),
    "invoice_settings": params.hash_of({"default_payment_method": params.text(), "footer": params.text()}),
    "metadata": params.metadata,
    "name": params.text(256),
    "next_invoice_sequence": params.integer(1),
    "phone": params.text(20),
    "preferred_locales": params.list_of(params.text()),
    "shipping": params.hash_of({"address": _ADDRESS, "name": params.text(), "phone": params.text()}),
    "tax_exempt": params.one_of("none", "exempt", "reverse"),
}
_NO_INVOICE_SETTINGS = {
    "custom_fields": None,
    "default_payment_method": None,
    "footer": None,
    "rendering_options": None,
}


@route("POST", "/v1/customers")
def create(call: Call) -> Object:
    """A new customer."""
    sent = params.checked(call.form, _KNOWN)
    _check_email(sent)
    fresh: Object = {
        "id": call.store.new_id("cus"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": call.now,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": secrets.token_hex(4).upper(),
        "invoice_settings": _NO_INVOICE_SETTINGS,
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    return call.store.add("customer", _changed(fresh, sent))


@route("GET", "/v1/customers")
def list_customers(call: Call) -> Object:
    """A page of customers, of one e-mail if asked."""
    return lists.page(call, "customer", {"email": params.text(512)})


@route("GET", "/v1/customers/{id}")
def retrieve(call: Call) -> Object:
    """One customer; of a deleted one, only that it was."""
    params.checked(call.form, {})
    found = call.store.get("customer", call.ids["id"])
    if found is None:
        raise missing("customer", call.ids["id"])
    return found


@route("POST", "/v1/customers/{id}")
def update(call: Call) -> Object:
    """Change what was sent, leave the rest."""
    sent = params.checked(call.form, _KNOWN)
    _check_email(sent)
    return call.store.replace(_changed(_living(call), sent))


@route("DELETE", "/v1/customers/{id}")
def delete(call: Call) -> Object:
    """Delete for good; the id goes on answering that it was deleted."""
    params.checked(call.form, {})
    gone = {"id": _living(call)["id"], "object": "customer", "deleted": True}
    return call.store.replace(gone, deleted=True)


def _living(call: Call) -> Object:
    found = call.store.get("customer", call.ids["id"])
    if found is None or found.get("deleted"):
        raise missing("customer", call.ids["id"])
    return found


def _changed(old: Object, sent: dict[str, Any]) -> Object:
    """The customer with what was sent put in."""
    new = {**old, **sent}
    if "metadata" in sent:
        new["metadata"] = params.merge_metadata(old["metadata"], sent["metadata"])
    if "invoice_settings" in sent:
        new["invoice_settings"] = {**old["invoice_settings"], **(sent["invoice_settings"] or {})}
    return new


def _check_email(sent: dict[str, Any]) -> None:
    email = sent.get("email")
    if email is not None and ("@" not in email or any(each.isspace() for each in email)):
        raise StripeError(f"Invalid email address: {email}", code="email_invalid", param="email")
