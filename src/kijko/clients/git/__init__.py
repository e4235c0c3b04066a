"""Git, by the program of that name: `Git` asks servers, `Objects` reads what was fetched.

What people name is never trusted: see `core.addresses` for where it may lead, `command` for how git is tamed,
`process` for how it is stopped, and `objects.unsafe` for names in trees.
"""

from kijko.clients.git.client import Git, Progress, Refs
from kijko.clients.git.command import Credential
from kijko.clients.git.failure import Code, GitFailure
from kijko.clients.git.history import Change, history
from kijko.clients.git.objects import Entry, Objects, unsafe
from kijko.clients.git.survey import Survey, Surveyor

__all__ = [
    "Change",
    "Code",
    "Credential",
    "Entry",
    "Git",
    "GitFailure",
    "Objects",
    "Progress",
    "Refs",
    "Survey",
    "Surveyor",
    "history",
    "unsafe",
]
