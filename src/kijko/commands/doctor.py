"""`doctor`."""

from typing import TYPE_CHECKING

import typer

from kijko.commands.terminal import say
from kijko.setting_errors import EXIT_CODE

if TYPE_CHECKING:
    from kijko.local.site import Site


def doctor() -> None:
    """Look at each part and each setting; say what is wrong and how to mend it.

    Exit codes: 0 nothing is wrong (parts that still start are not); 1 something is; 2 a setting cannot be right.
    """
    import os

    from kijko.local import environment
    from kijko.local.attach import NotRunning, adopt, attach
    from kijko.local.doctor import SETTINGS, examine
    from kijko.local.home import Home
    from kijko.local.stack import migrations_folder

    home = Home.of(os.environ)
    tools: dict[str, str] = {}
    starting: set[str] = set()
    try:
        site = attach(os.environ)
        tools, starting = environment.shown(site), _starting(site)
    except NotRunning as error:
        say(str(error))
    adopt()
    wrong, waiting, code = 0, 0, 1
    for finding in examine({**tools, **os.environ}, home.path, migrations_folder()):
        waits = not finding.healthy and finding.part in starting
        wrong += not finding.healthy and not waits
        waiting += waits
        code = EXIT_CODE if finding.name == SETTINGS else code
        word = "ok   " if finding.healthy else "start" if waits else "WRONG"
        print(f"{word}  {finding.name}: {'is starting' if waits else finding.text}")
    if waiting:
        print("The stack is still starting; ask again in a moment.")
    if wrong or not waiting:
        print(f"{wrong} to mend." if wrong else "Everything is well.")
    if wrong:
        raise typer.Exit(code)


def _starting(site: "Site") -> set[str]:
    """The parts that need not answer yet: while a start goes on, any of them."""
    from kijko.local.attach import parts_of

    return {part["name"] for part in parts_of(site) if not site.state.ready or part["state"] == "starting"}
