"""What goes wrong when the local stack starts, as sentences for the person at the terminal."""


class StackError(Exception):
    """The stack cannot start or go on; the text says why and what to do. Shown without a traceback."""


class BadSetting(StackError):
    """A setting of the stack cannot be right. The command ends with exit code 2."""


class Interrupted(Exception):
    """The person asked to stop while the stack was still starting."""
