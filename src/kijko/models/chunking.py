"""A project's chunking webhook on the wire."""

from kijko.models.base import Uri, Wire


class ChunkingWebhook(Wire):
    """Where files are sent to be cut, and the secret that signs them (Standard Webhooks, `whsec_…`)."""

    url: Uri | None = None
    secret: str
