"""Uploaded files: a project's sources beside its repositories.

Owns the tables uploads and storage_deletions. A file's content stands in the store; its row, its bytes in the quota and
its content come and go together: what is counted is what is kept. docs/sources.md says what is taken.
"""

from kijko.services.uploads.receiving import receive
from kijko.services.uploads.sweep import sweep
from kijko.services.uploads.uploads import delete

__all__ = ["delete", "receive", "sweep"]
