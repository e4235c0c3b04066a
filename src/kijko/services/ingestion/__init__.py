"""Ingestions: a project's repositories and files become chunks that can be searched.

Owns the tables ingestions, ingestion_files, project_indexes, source_files and chunks. An ingestion is a job and its row
the truth. Invariants: of a project one is under way at most; what it stages nobody sees until its last transaction
makes all of it serve; one that ends otherwise leaves what served before; files whose content and options are the same
are not read again, and the result is the one that reading everything would have given, chunk id by chunk id.
"""

from typing import TYPE_CHECKING

from kijko.core.lazily import lazily
from kijko.services.ingestion import errors as errors  # their codes are known as soon as somebody tells of the package

if TYPE_CHECKING:
    from kijko.services.ingestion.requests import Started, cancel, history, progress, start
    from kijko.services.ingestion.runner import Runner
    from kijko.services.ingestion.sweeping import sweep

__all__ = ["Runner", "Started", "cancel", "history", "progress", "start", "sweep"]

# What a process that reads files takes of this package brings nothing else along.
__getattr__ = lazily(
    __name__,
    {
        "requests": "Started cancel history progress start",
        "runner": "Runner",
        "sweeping": "sweep",
    },
)
