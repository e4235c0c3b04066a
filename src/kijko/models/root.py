"""What is here, for whoever opens the server's address."""

from pydantic import ConfigDict

from kijko.models.base import UriReference, Wire


class Links(Wire):
    """Where to go on. The documentation's addresses are null where it is not served."""

    docs: UriReference | None = None
    openapi: UriReference | None = None
    health: UriReference


class Welcome(Wire):
    """The server's name and version, and where to go on."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Kijko",
                    "version": "0.1.0",
                    "links": {"docs": "/docs", "openapi": "/openapi.json", "health": "/health"},
                }
            ]
        }
    )

    name: str
    version: str
    links: Links
