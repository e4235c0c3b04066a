"""People who invite and are invited, their mail, and mail servers that misbehave."""

from tests.auth.conftest import account, keycloak, mailbox
from tests.postgres import blank, copy, database, server

__all__ = ["account", "blank", "copy", "database", "keycloak", "mailbox", "server"]
