"""`doctor`."""

import typer

from kijko.commands.terminal import say
from kijko.setting_errors import EXIT_CODE


def doctor() -> None:
    """Look at each part and each setting; say what is wrong and how to mend it."""
    import os

    from kijko.local import environment
    from kijko.local.attach import NotRunning, adopt, attach
    from kijko.local.doctor import SETTINGS, examine
    from kijko.local.home import Home
    from kijko.local.stack import migrations_folder

    home = Home.of(os.environ)
    tools: dict[str, str] = {}
    try:
        tools = environment.shown(attach(os.environ))
    except NotRunning as error:
        say(str(error))
    adopt()
    wrong, code = 0, 1
    for finding in examine({**tools, **os.environ}, home.path, migrations_folder()):
        wrong += not finding.healthy
        code = EXIT_CODE if finding.name == SETTINGS else code
        print(f"{'ok   ' if finding.healthy else 'WRONG'}  {finding.name}: {finding.text}")
    print(f"{wrong} to mend." if wrong else "Everything is well.")
    if wrong:
        raise typer.Exit(code)
