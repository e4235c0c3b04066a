"""What can go wrong with executions."""

from kijko.core.errors import Conflict, Forbidden, Invalid, NotFound


class ExecutionNotFound(NotFound):
    """There is no execution with this id in your organization."""

    code = "EXECUTION_NOT_FOUND"


class InvalidInput(Invalid):
    """The input does not fit the skill."""

    code = "INVALID_INPUT"


class CannotRetry(Conflict):
    """Only an execution that failed or was cancelled is done again, and once at a time."""

    code = "CANNOT_RETRY"


class CannotCancel(Conflict):
    """This execution has ended; only one that is pending or running can be cancelled."""

    code = "CANNOT_CANCEL"


class NotYours(Forbidden):
    """Only who ran it, or an owner or admin of the organization, may cancel an execution."""
