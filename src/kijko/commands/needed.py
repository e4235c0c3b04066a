"""The one setting that a command cannot do without."""

import os

from kijko.commands.terminal import fail, sentences


def needed(name: str) -> str:
    """The setting `name`, given in the environment or by the stack that runs here, whose settings are taken over.

    Without it the command ends, with a sentence that says what to do.
    """
    from kijko.local.attach import adopt
    from kijko.local.errors import StackError
    from kijko.local.home import Home
    from kijko.settings import load

    with sentences(StackError):
        home = Home.of(os.environ).path
        running = adopt()
        load()
    value = os.environ.get(name)
    if value:
        return value
    nobody = f"Nothing is running in {home} and {name} is not set: start everything with `make up`, or set it."
    other = f"{name} is not set, and the stack in {home} does not have that part. Set it in the environment."
    return fail(other if running else nobody)
