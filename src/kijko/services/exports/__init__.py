"""A project's context as one file: JSON or markdown, streamed, whole or within a number of tokens.

Owns no table; it reads what the last ingestion made serve, as the caller, some rows at a time. docs/reading.md says
what is in it and what comes first where not all of it may.
"""

from kijko.services.exports.exporting import Export, Format, open_export

__all__ = ["Export", "Format", "open_export"]
