"""The demo person: signs up as everybody does, through the API."""

import httpx

from kijko.local.environment import DEV_EMAIL, DEV_PASSWORD, DEV_PLAN
from kijko.local.errors import StackError
from kijko.services.billing.grants import GrantError, grant_by_email

_EXISTS = 409


def seed(api_url: str, database_url: str) -> bool:
    """Make the demo user, with an organization of its own on the plan `teams`. False when it exists already.

    `database_url` is the owner's: the plan is an operator's word, as by `kijko plan`.

    Raises:
        StackError: the API does not answer, or refuses; with its words.
    """
    person = {"email": DEV_EMAIL, "password": DEV_PASSWORD, "first_name": "Demo", "last_name": "Person"}
    try:
        answer = httpx.post(f"{api_url}/api/auth/signup", json=person, timeout=60, trust_env=False)
    except httpx.HTTPError as error:
        raise StackError(f"The API at {api_url} does not answer ({error}). Start it with `make up`.") from error
    if answer.status_code == _EXISTS:
        return False
    if not answer.is_success:
        raise StackError(f"The demo user could not be made. The API says: {answer.text[:500]}")
    try:
        grant_by_email(database_url, DEV_EMAIL, DEV_PLAN, reason="the demo organization")
    except GrantError as error:
        raise StackError(f"The demo organization could not be put on the plan {DEV_PLAN}. {error}") from error
    return True
