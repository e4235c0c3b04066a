"""An operator's word on a plan: for `kijko plan`, with the owner's login."""

from typing import Any

import psycopg

from kijko.models.enums import PlanTier

_FIND = """
select o.id, o.name, u.email
from public.users u
join lateral (
  select m.organization_id
  from public.memberships m
  where m.user_id = u.id
  order by m.organization_id = u.default_organization_id desc nulls last, m.joined_at, m.organization_id
  limit 1
) mine on true
join public.organizations o on o.id = mine.organization_id
where lower(u.email) = lower(%s)
"""


class GrantError(Exception):
    """The grant was not written; the text says why and what to do."""


def grant_by_email(database_url: str, email: str, plan: str, *, reason: str = "kijko plan") -> str:
    """Puts the default organization of the person with that address on a plan; answers a sentence on what was done.

    Args:
        database_url: the owner's. email: case does not matter. plan: free, pro, teams or enterprise, or `none` to take
            an earlier grant back, so that what is paid for counts again. reason: kept beside the grant.

    Raises:
        GrantError: no such plan or person, several people with that address, or the database does not answer.
    """
    tiers = [tier.value for tier in PlanTier]
    if plan not in (*tiers, "none"):
        raise GrantError(f"There is no plan {plan!r}. The plans are {', '.join(tiers)}; none takes a grant back.")
    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection:
            organization, name = _organization(connection, email.strip())
            chosen = None if plan == "none" else plan
            connection.execute("select kijko.grant_plan(%s, %s, %s)", (organization, chosen, reason))
    except psycopg.OperationalError as error:
        raise GrantError(f"The database does not answer. Is it running? {str(error).strip()}") from error
    except psycopg.errors.UndefinedTable as error:
        raise GrantError("This database has no tables yet. Run `kijko migrate` first.") from error
    if chosen is None:
        return f"{name} has no grant any more: the plan that is paid for counts."
    return f"{name} is on the plan {plan} now."


def _organization(connection: psycopg.Connection[Any], email: str) -> tuple[object, str]:
    found = connection.execute(_FIND, (email,)).fetchall()
    if not found:
        raise GrantError(f"Nobody with an organization signed up as {email!r}. Check the address.")
    if len(found) > 1:
        names = ", ".join(f"{mail} ({name})" for _, name, mail in found)
        raise GrantError(f"Several people have the address {email!r}: {names}. Give all but one another address.")
    return found[0][0], found[0][1]
