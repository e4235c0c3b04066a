"""Sign-in: people, their sessions and their ways in, on top of Keycloak.

Owns users, ended_sessions and session_cutoffs (with the tenancy migration) and the tables of the sign-in migration.
Held at all times: whoever has an account has an organization, or gets it at their next sign-in; a session that ended
is refused by every process from the commit of its row on; what was begun at Keycloak and not finished has a row.
How each flow goes: docs/sign-in.md. Why it is done so: docs/adr/0003-sign-in.md.
"""

from kijko.services.identity.desk import Desk
from kijko.services.identity.disabled import disabled_among
from kijko.services.identity.errors import ProviderNotSetUp
from kijko.services.identity.login import login, refresh
from kijko.services.identity.oauth import PENDING_S, begin, cookie_name, finish, redeem
from kijko.services.identity.passwords import change, forgot
from kijko.services.identity.profiles import disconnect, identities, me, resend_verification, update
from kijko.services.identity.resets import watch_resets
from kijko.services.identity.rules import Device
from kijko.services.identity.sessions import end_one, end_others, ended_elsewhere, list_sessions, logout
from kijko.services.identity.signup import signup
from kijko.services.identity.sweep import repair

__all__ = [
    "PENDING_S",
    "Desk",
    "Device",
    "ProviderNotSetUp",
    "begin",
    "change",
    "cookie_name",
    "disabled_among",
    "disconnect",
    "end_one",
    "end_others",
    "ended_elsewhere",
    "finish",
    "forgot",
    "identities",
    "list_sessions",
    "login",
    "logout",
    "me",
    "redeem",
    "refresh",
    "repair",
    "resend_verification",
    "signup",
    "update",
    "watch_resets",
]
