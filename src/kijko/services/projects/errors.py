"""What can go wrong with projects."""

from kijko.core.errors import Conflict, Invalid, NotFound


class ProjectNotFound(NotFound):
    """There is no project with this id that you may see."""

    code = "PROJECT_NOT_FOUND"


class ProjectNameExists(Conflict):
    """Your organization already has a project with this name. Names differ by more than upper and lower case."""

    code = "PROJECT_NAME_EXISTS"


class RepositoryNotFound(NotFound):
    """The project has no repository with this id."""

    code = "REPOSITORY_NOT_FOUND"


class RepositoryExists(Conflict):
    """The project has this repository already."""

    code = "REPOSITORY_EXISTS"


class InvalidRepositoryUrl(Invalid):
    """This is no address of a git repository that can be read over https."""

    code = "INVALID_REPOSITORY_URL"
