"""What can go wrong with executions."""

from kijko.core.errors import Invalid, NotFound


class ExecutionNotFound(NotFound):
    """There is no execution with this id in your organization."""

    code = "EXECUTION_NOT_FOUND"


class InvalidInput(Invalid):
    """The input does not fit the skill."""

    code = "INVALID_INPUT"
