"""API keys: bearer tokens of programs, each acting as its maker in one organization, within its scopes.

Owns the table api_keys. The secret is shown once and kept as a hash. `Door` lets requests and sockets in with one, and
takes an API call of the plan for each.
"""

from kijko.services.api_keys.api_keys import create, list_own, revoke, rotate
from kijko.services.api_keys.door import Door, Entered, require
from kijko.services.api_keys.errors import MissingScope, PeopleOnly, TooManyRefused
from kijko.services.api_keys.refusals import Refusals
from kijko.services.api_keys.rules import Secret, is_key, read
from kijko.services.api_keys.sweep import ask_after_makers, forget
from kijko.services.api_keys.use import Use

__all__ = [
    "Door",
    "Entered",
    "MissingScope",
    "PeopleOnly",
    "Refusals",
    "Secret",
    "TooManyRefused",
    "Use",
    "ask_after_makers",
    "create",
    "forget",
    "is_key",
    "list_own",
    "read",
    "require",
    "revoke",
    "rotate",
]
