"""What can go wrong with the store."""

from kijko.core.errors import Unavailable


class StorageUnavailable(Unavailable):
    """The file store does not answer at the moment. Nothing was kept; please try again."""


class ContentNotFound(LookupError):
    """The store has no content under that key."""
