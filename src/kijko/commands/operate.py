"""`seed`, `openapi`, `plan` and `rotate-master`: what a developer or an operator does by hand."""

from typing import Annotated

import typer

from kijko.commands.needed import needed
from kijko.commands.terminal import fail, sentences


def seed() -> None:
    """Make the demo organization and user, if they are not there."""
    import os

    from kijko.local.environment import DEV_EMAIL, DEV_PASSWORD
    from kijko.local.errors import StackError
    from kijko.local.seed import seed as make

    url, database = needed("KIJKO_API_URL"), needed("KIJKO_DATABASE_URL")
    if os.environ.get("KIJKO_ENVIRONMENT") == "production":
        fail("A demo user with a known password has no place in production. Unset KIJKO_ENVIRONMENT if this is none.")
    with sentences(StackError):
        made = make(url, database)
    print(f"{'Made' if made else 'There already:'} {DEV_EMAIL}, password {DEV_PASSWORD}")


def openapi() -> None:
    """Print the API's OpenAPI document."""
    import json

    from kijko.main import openapi_document

    with sentences():
        print(json.dumps(openapi_document(), indent=2, ensure_ascii=False))


def rotate_master() -> None:
    """Move organizations' own model keys under the first master key of KIJKO_KEYS_MASTER. Can be run again."""
    from kijko.services.model_keys import RotationError
    from kijko.services.model_keys import rotate_master as rotate

    url, masters = needed("KIJKO_DATABASE_URL"), needed("KIJKO_KEYS_MASTER")
    with sentences(RotationError):
        print(rotate(url, masters))


def plan(
    email: Annotated[str, typer.Argument(help="Whose organization.")],
    plan: Annotated[str, typer.Argument(help="free, pro, teams or enterprise; none takes a grant back.")],
    reason: Annotated[str, typer.Option(help="Kept beside the grant.")] = "kijko plan",
) -> None:
    """Put a person's organization on a plan, by an operator's word; that outranks what is paid for."""
    from kijko.services.billing.grants import GrantError, grant_by_email

    url = needed("KIJKO_DATABASE_URL")
    with sentences(GrantError):
        print(grant_by_email(url, email, plan, reason=reason))
