"""What is here, for whoever opens the server's address."""

from kijko.models.base import UriReference, Wire


class Links(Wire):
    """Where to go on. The documentation's addresses are null where it is not served."""

    docs: UriReference | None = None
    openapi: UriReference | None = None
    health: UriReference


class Welcome(Wire):
    """The server's name and version, and where to go on."""

    name: str
    version: str
    links: Links
