"""Everything outside the process, built once in a composition root and passed down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for the types alone: whoever needs one client does not import them all
    import httpx
    from redis.asyncio import Redis

    from kijko.clients.embeddings import Embeddings
    from kijko.clients.forges import Forges
    from kijko.clients.git import Git, Surveyor
    from kijko.clients.keycloak import Keycloak
    from kijko.clients.llm import Models
    from kijko.clients.mail import Mailer
    from kijko.clients.storage import Storage
    from kijko.clients.stripe import Stripe
    from kijko.core.crypto import Box
    from kijko.core.envelope import Masters
    from kijko.core.jobs import Jobs
    from kijko.core.notices import Notices
    from kijko.core.tenancy import Tenants
    from kijko.core.tokens import Tokens
    from kijko.core.turns import Turns


@dataclass(frozen=True)
class Clients:
    """What the API talks to. /health asks those that can be asked."""

    database: Tenants
    redis: Redis
    storage: Storage
    """Holds the contents of uploaded files."""
    uploads: Turns
    """Who is uploading."""
    exports: Turns
    """Who is exporting: each export holds a connection."""
    streams: Turns
    """Who follows executions."""
    stripe: Stripe
    keycloak: Keycloak
    mail: Mailer | None
    """For /health: the scheduler is who sends. None where no mail server is named."""
    tokens: Tokens
    """Verifies access tokens by the issuers' cached keys."""
    git: Git
    surveyor: Surveyor
    forges: Forges
    """GitHub and GitLab, beyond git."""
    jobs: Jobs
    notices: Notices
    box: Box
    """Encrypts what must be read again."""
    masters: Masters
    """Seals organizations' own model keys."""
    models: Models
    """For trials: what is queued, a worker runs. A provider's SDK is imported when it is first needed."""
    embeddings: Embeddings
    """Vectors of questions; without a model in the settings it is never asked."""
    http: httpx.AsyncClient
    """For Keycloak, and the keys of token issuers."""
