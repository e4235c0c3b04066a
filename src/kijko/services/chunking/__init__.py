"""The strategy `custom`: a project's own webhook cuts its files.

Owns no table: the secret that signs is derived from the server's key and the project's id, so it is never kept. What
the webhook does not cut well is read as `semantic`, with a note that says why. docs/reading.md has the webhook's side.
"""

from kijko.services.chunking.asking import read_custom, read_files
from kijko.services.chunking.hooks import Secret, hook_of, secret

__all__ = ["Secret", "hook_of", "read_custom", "read_files", "secret"]
