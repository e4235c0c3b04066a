"""What can go wrong with asking for an ingestion, or for its end."""

from kijko.core.errors import Conflict, Invalid


class AlreadyProcessing(Conflict):
    """An ingestion of this project is under way already. Wait for its end, or cancel it."""

    code = "ALREADY_PROCESSING"


class InvalidStatus(Conflict):
    """Nothing changed since the last ingestion. Set forceReprocess to read everything, and new commits, again."""

    code = "INVALID_STATUS"


class NoSources(Invalid):
    """This project has nothing to ingest. Add a repository, or upload files."""

    code = "NO_SOURCES"


class NoActiveIngestion(Conflict):
    """No ingestion of this project is under way."""

    code = "NO_ACTIVE_INGESTION"
