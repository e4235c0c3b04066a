"""A repository's webhook on the wire."""

from pydantic import ConfigDict

from kijko.models.base import Wire


class RepositoryWebhook(Wire):
    """What to enter at GitHub or GitLab, so that a push starts the next ingestion."""

    url: str
    secret: str


class PushTaken(Wire):
    """A delivery was taken."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"started": True}]})

    started: bool
    """Whether it starts an ingestion."""
