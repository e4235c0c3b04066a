"""A repository's secret, and what becomes of a delivery."""

import secrets
from uuid import UUID

from kijko.core.crypto import Box, Unreadable
from kijko.core.jobs import Jobs, Work
from kijko.core.tenancy import OrgReader, Tenants
from kijko.models.pushes import PushReason, PushTaken
from kijko.services.projects import access
from kijko.services.projects.errors import RepositoryNotFound
from kijko.services.pushes import queries, rules
from kijko.services.pushes.errors import InvalidSignature
from kijko.services.pushes.rules import Delivery


async def secret(reader: OrgReader, box: Box, project_id: UUID, repository_id: UUID) -> str:
    """The secret that signs a repository's deliveries; made when it is first asked for, and when its key is gone.

    Raises:
        ProjectNotFound, Forbidden: see access. RepositoryNotFound: the project has no such repository.
    """
    await access.require(reader, project_id, "source")
    fresh = box.seal(secrets.token_urlsafe(32).encode()).decode()
    sealed = await queries.webhook(reader, project_id, repository_id, fresh)
    if sealed is None:
        raise RepositoryNotFound
    found = _opened(box, sealed)
    if found is None:
        again = await queries.webhook(reader, project_id, repository_id, fresh, sealed)
        found = _opened(box, again) if again is not None else None
    if found is None:
        raise RepositoryNotFound
    return found


async def receive(database: Tenants, box: Box, jobs: Jobs, repository_id: UUID, delivery: Delivery) -> PushTaken:
    """Takes a delivery of a git provider, each once; whether it has started an ingestion, and why.

    Raises:
        RepositoryNotFound: no such repository has a secret. InvalidSignature: it was not made with that.
        UnreadableDelivery: it is signed, and no JSON.
    """
    async with database.gate() as tx:
        known = await queries.known(tx, repository_id)
    if known is None:
        raise RepositoryNotFound
    opened = _opened(box, known.secret)
    if opened is None or not rules.is_signed(delivery, opened):
        raise InvalidSignature
    against = rules.why_not(delivery, known.branch, follows=known.follows)
    async with database.gate() as tx:
        became = await queries.take(
            tx, repository_id, rules.id_of(delivery), rules.event_of(delivery), starts=against is None
        )
    reason = against if against is not None and became == "noted" else PushReason(became)
    if reason is PushReason.STARTED:
        jobs.wake(Work.INGESTIONS)
    return PushTaken(started=reason is PushReason.STARTED, reason=reason, message=rules.in_words(reason, known.branch))


def _opened(box: Box, sealed: str) -> str | None:
    """None where the key it was sealed with is no longer among ours."""
    try:
        return box.open(sealed.encode()).decode()
    except Unreadable:
        return None


async def forget(database: Tenants) -> None:
    """For the scheduler: deliveries that are older than a week come no more."""
    await queries.forget(database.system_reader("deliveries of git providers, past their week"))
