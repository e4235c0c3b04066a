"""What can go wrong with skills."""

from kijko.core.errors import Conflict, Invalid, NotFound
from kijko.services.projects.errors import ProjectNotFound


class SkillNotFound(NotFound):
    """There is no skill with this id in your organization."""

    code = "SKILL_NOT_FOUND"


class SkillNameExists(Conflict):
    """You already have a skill with this name. Names differ by more than upper and lower case; choose another one."""

    code = "SKILL_NAME_EXISTS"


class SkillInactive(Conflict):
    """This skill is switched off. Activate it first."""

    code = "SKILL_INACTIVE"


class VersionNotFound(NotFound):
    """This skill has no such version."""

    code = "SKILL_VERSION_NOT_FOUND"


class PreconditionFailed(Conflict):
    """This skill was saved meanwhile. Read it again, and make your change to what it is now."""

    code = "PRECONDITION_FAILED"


class UnknownModel(Invalid):
    """No such model is known."""

    code = "UNKNOWN_MODEL"


class ContextNotFound(ProjectNotFound):
    """The project that the context names is not one that you may read."""
