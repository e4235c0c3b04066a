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


class NotAuthenticated(Conflict):
    """You have no account connected at this git provider, or the provider no longer accepts it. Connect it again."""

    code = "NOT_AUTHENTICATED"


class ProviderNotConfigured(Conflict):
    """Accounts of this git provider cannot be connected here: whoever runs this server has not set it up."""

    code = "PROVIDER_NOT_CONFIGURED"


class UnknownGitProvider(NotFound):
    """There is no git provider of this name. There are github, gitlab, bitbucket and azure."""

    code = "UNKNOWN_PROVIDER"


class InvalidAuthorization(Invalid):
    """This connection was not begun by you, has taken too long or was finished before. Begin it again."""

    code = "INVALID_AUTHORIZATION"


class UserNotFound(NotFound):
    """There is nobody with this id whose repositories you may see."""

    code = "USER_NOT_FOUND"


class MemberNotFound(NotFound):
    """The project has no member and no invitation with this id."""

    code = "MEMBER_NOT_FOUND"


class MemberExists(Conflict):
    """This address is in the project already, or has an open invitation to it, which you can send again."""

    code = "MEMBER_EXISTS"


class LastAdmin(Conflict):
    """This is the project's only admin. Make somebody else an admin first."""

    code = "LAST_ADMIN"


class AlreadyAccepted(Conflict):
    """This invitation was accepted: they are a member of the project now."""

    code = "ALREADY_ACCEPTED"
