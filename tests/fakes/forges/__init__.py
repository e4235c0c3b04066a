"""GitHub and GitLab on loopback: their OAuth and REST as far as Kijko speaks them, and git itself for what they list.

Whoever opens the address of a connection with `&login=ada` added is Ada, and says yes; `&lives=1` makes GitLab's token
live a second. `{login}/private-…` is shown to that login's tokens alone; every other repository to everybody.
A login that begins with `slow-` waits half a second for new tokens, and a repository `{login}/slow-…` comes at 30 kB/s;
`odd-` lists what no forge would, `odd-user-` is nobody a forge would tell of, and the next page of `elsewhere-` is at
another server. `/cutter` is a chunking webhook that cuts every file into two.
"""

from pathlib import Path

from tests.fakes.forges.forge import CLIENT, Forge
from tests.fakes.forges.github import GitHub
from tests.fakes.forges.gitlab import GitLab

__all__ = ["CLIENT", "Forge", "GitHub", "GitLab", "serve"]


def serve(folder: Path) -> tuple[GitHub, GitLab]:
    """Both, each with the repositories below a folder of its own."""
    hub, lab = GitHub(folder / "github"), GitLab(folder / "gitlab")
    for each in (hub, lab):
        each.folder.mkdir(parents=True)
        each.serve()
    return hub, lab
