"""What can go wrong with deletions."""

from kijko.core.errors import NotFound


class DeletionNotFound(NotFound):
    """There is no deletion with this id and this status token."""

    code = "DELETION_NOT_FOUND"
