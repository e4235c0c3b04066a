"""New passwords by mailed links: whoever chose one ends every older session.

Keycloak's page does that too, at once, when it is asked to; that is up to the browser. So the scheduler looks as well.
"""

from datetime import datetime
from uuid import UUID

from kijko.clients.keycloak import Keycloak, Session
from kijko.core.tenancy import Tenants
from kijko.services.identity import queries, rules, sweep_queries
from kijko.services.identity.attempts import attempt
from kijko.settings import Settings


async def watch_resets(database: Tenants, keycloak: Keycloak, settings: Settings) -> None:
    """One round, for the scheduler, every second or two. It costs next to nothing while no link is out."""
    await attempt("new passwords", _end_after_resets(database, keycloak, settings))


async def _end_after_resets(database: Tenants, keycloak: Keycloak, settings: Settings) -> None:
    async with database.system("see whether links to new passwords were used") as tx:
        due = await sweep_queries.due_resets(tx)
    for each in due:
        since = await keycloak.password_since(each.user_id)
        if since is not None and since != each.password_since:
            await _end_before(database, keycloak, settings, each.user_id, since)


async def _end_before(
    database: Tenants, keycloak: Keycloak, settings: Settings, user_id: UUID, instant: datetime
) -> None:
    sessions = await keycloak.sessions(user_id)
    async with database.system("end the sessions from before a new password") as tx:
        begun = await sweep_queries.session_starts(tx, user_id)
        older = [each.id for each in sessions if _is_older(each, begun.get(each.id), instant)]
        for session_id in older:
            await queries.sign_out(tx, session_id, user_id, rules.remember_s(settings.auth))
        await queries.end_sessions_before(tx, user_id, instant.replace(microsecond=0), None)
        await sweep_queries.drop_reset(tx, user_id)
    for session_id in older:
        await keycloak.end_session(session_id)


def _is_older(session: Session, begun: datetime | None, instant: datetime) -> bool:
    # Keycloak keeps the start of a session in whole seconds, as a token its time.
    return begun < instant if begun else session.started_at < instant.replace(microsecond=0)
