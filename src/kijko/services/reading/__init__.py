"""Reading files: which of a source's files are taken, and each as pieces without secrets, with its structure.

Owns no table. Pure and synchronous, its values can be pickled: it runs in processes of its own. docs/reading.md says
what is taken, how it is cut and what becomes of secrets.
"""

from kijko.core.tokenizer import TOKENIZER
from kijko.services.reading.reading import Cut, Shown, read_file, show, warm, without_secrets
from kijko.services.reading.results import FileRead, Options, Piece, Secret, Skipped
from kijko.services.reading.selection import Selection

__all__ = [
    "TOKENIZER",
    "Cut",
    "FileRead",
    "Options",
    "Piece",
    "Secret",
    "Selection",
    "Shown",
    "Skipped",
    "read_file",
    "show",
    "warm",
    "without_secrets",
]
