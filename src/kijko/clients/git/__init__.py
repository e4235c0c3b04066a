"""Git, by the program of that name: `Git` asks servers, `Objects` reads what was fetched.

What people name is never trusted: see `core.addresses` for where it may lead, `command` for how git is tamed,
`process` for how it is stopped, and `objects.unsafe` for names in trees.
"""

from typing import TYPE_CHECKING

from kijko.core.lazily import lazily

if TYPE_CHECKING:
    from kijko.clients.git.caps import Capped, Caps
    from kijko.clients.git.client import Git, Progress, Refs
    from kijko.clients.git.command import Credential
    from kijko.clients.git.failure import Code, GitFailure
    from kijko.clients.git.objects import Entry, Objects, unsafe
    from kijko.clients.git.past import Change, history
    from kijko.clients.git.survey import Survey, Surveyor

__all__ = [
    "Capped",
    "Caps",
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

# What a process that reads files takes of this package brings nothing else along.
__getattr__ = lazily(
    __name__,
    {
        "caps": "Capped Caps",
        "client": "Git Progress Refs",
        "command": "Credential",
        "failure": "Code GitFailure",
        "past": "Change history",
        "objects": "Entry Objects unsafe",
        "survey": "Survey Surveyor",
    },
)
