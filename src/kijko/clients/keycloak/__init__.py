"""Keycloak, the sign-in server: passwords, sessions and identities live there, and only `services.identity` asks it.

Every call has a deadline (`settings.keycloak.timeout_s`) and raises `SignInUnavailable` when Keycloak does not answer
in time, `Refused` when it says no.
"""

from kijko.clients.keycloak.client import Keycloak
from kijko.clients.keycloak.shapes import Grant, Identity, Session, User
from kijko.clients.keycloak.transport import Refused, SignInUnavailable

__all__ = ["Grant", "Identity", "Keycloak", "Refused", "Session", "SignInUnavailable", "User"]
