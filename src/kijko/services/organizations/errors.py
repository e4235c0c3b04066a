"""What can go wrong with organizations and their members."""

from kijko.core.errors import Conflict, NotFound


class MemberNotFound(NotFound):
    """Your organization has no member with this id."""

    code = "MEMBER_NOT_FOUND"


class MemberExists(Conflict):
    """This address is in your organization already, or has an open invitation. Take that back to invite it anew."""

    code = "MEMBER_EXISTS"


class LastOwner(Conflict):
    """This is the organization's only owner. Make somebody else an owner first, or delete the organization."""

    code = "LAST_OWNER"


class OpenInvitationNotFound(NotFound):
    """Your organization has no open invitation with this id."""

    code = "INVITATION_NOT_FOUND"


class ActiveSubscription(Conflict):
    """A subscription for this organization is active. Cancel it first, and wait for its end or end it at once."""

    code = "ACTIVE_SUBSCRIPTION"
