"""What can go wrong with executions."""

from kijko.core.errors import Conflict, Invalid, NotFound


class ExecutionNotFound(NotFound):
    """There is no execution with this id in your organization."""

    code = "EXECUTION_NOT_FOUND"


class InvalidInput(Invalid):
    """The input does not fit the skill."""

    code = "INVALID_INPUT"


class CannotRetry(Conflict):
    """Only an execution that failed or was cancelled is done again, and once at a time."""

    code = "CANNOT_RETRY"
