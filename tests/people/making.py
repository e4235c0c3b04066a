"""Invitations for tests."""

import re
import time
import uuid
from typing import Any

import httpx
import psycopg

from tests.auth.conftest import Mailbox
from tests.conftest import Person

Owner = psycopg.Connection[Any]
Made = dict[str, Any]


def fresh_email() -> str:
    return f"{uuid.uuid4().hex[:14]}@people.test"


async def invite(one: Person, project: Made, email: str, role: str = "developer", **fields: object) -> httpx.Response:
    """Add or invite somebody to a project."""
    body = {"email": email, "role": role} | fields
    return await one.http.post(f"/projects/{project['id']}/members", json=body)


async def invited(one: Person, project: Made, email: str, role: str = "developer", **fields: object) -> Made:
    """The member that this makes."""
    answer = await invite(one, project, email, role, **fields)
    assert answer.status_code == 201, answer.text
    made: Made = answer.json()
    return made


async def ask_in(one: Person, email: str, role: str = "member", **headers: str) -> httpx.Response:
    """Invite somebody into the organization."""
    return await one.http.post("/organization/invitations", json={"email": email, "role": role}, headers=headers)


def token_in(mail: dict[str, str]) -> str:
    """The token in a mail's link."""
    found = re.search(r"/invitations/([\w-]+)", mail["text"])
    assert found is not None, mail["text"]
    return found[1]


def mailed(mailbox: Mailbox, email: str, count: int = 1) -> str:
    """The token in the newest mail to that address, once there are so many."""
    return token_in(mailbox.wait(email, subject="invites you to", count=count))


async def accept(one: Person, token: str) -> httpx.Response:
    return await one.http.post(f"/invitations/{token}/accept")


def seats(owner: Owner, one: Person) -> int:
    """How many seats the person's organization holds, by the quota engine."""
    row = owner.execute("select used from kijko.usage_of(%s) where metric = 'seats'", (one.organization_id,)).fetchone()
    assert row is not None
    return int(row[0])


def ledger(owner: Owner, one: Person) -> int:
    """The same, as the ledger sums up."""
    row = owner.execute(
        "select coalesce(sum(quantity), 0) from usage_ledger where organization_id = %s and metric = 'seats'",
        (one.organization_id,),
    ).fetchone()
    assert row is not None
    return int(row[0])


def expire(owner: Owner, email: str) -> None:
    """Let the invitations of an address be of more than a week ago."""
    owner.execute("update invitations set expires_at = now() - interval '1 second' where email = %s", (email,))
    owner.execute("update invited_seats set expires_at = now() - interval '1 second' where email = %s", (email,))


def until(what: Any, within_s: float = 20) -> Any:
    """What this answers, once it is something."""
    deadline = time.monotonic() + within_s
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)
    return found


def in_organization(one: Person, organization_id: object) -> dict[str, str]:
    return {"X-Organization-Id": str(organization_id)}
