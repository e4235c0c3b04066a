"""Organizations: whose everything is, who is in them, and their end.

Owns the tables organizations and memberships (with the tenancy migration). Held at all times: an organization that was
not deleted has an owner; every member holds a seat; whoever is taken out of one is in another, their own if need be.
What changes members are functions of the database, under the organization's lock `people`. More: docs/people.md.
"""

from kijko.services.organizations.deletions import delete
from kijko.services.organizations.organizations import found, get, leave, list_own, rename

__all__ = ["delete", "found", "get", "leave", "list_own", "rename"]
