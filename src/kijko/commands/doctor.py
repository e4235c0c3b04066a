"""`doctor`."""

import typer

from kijko.commands.terminal import say


def doctor() -> None:
    """Look at each part and each setting; say what is wrong and how to mend it."""
    import os

    from kijko.local import environment
    from kijko.local.attach import NotRunning, adopt, attach
    from kijko.local.doctor import examine
    from kijko.local.home import Home
    from kijko.local.stack import migrations_folder

    home = Home.of(os.environ)
    tools: dict[str, str] = {}
    try:
        tools = environment.shown(attach(os.environ))
    except NotRunning as error:
        say(str(error))
    adopt()
    wrong = 0
    for finding in examine({**tools, **os.environ}, home.path, migrations_folder()):
        wrong += not finding.healthy
        print(f"{'ok   ' if finding.healthy else 'WRONG'}  {finding.name}: {finding.text}")
    print(f"{wrong} to mend." if wrong else "Everything is well.")
    if wrong:
        raise typer.Exit(1)
