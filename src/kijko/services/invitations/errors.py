"""What can go wrong with invitations."""

from typing import Final

from kijko.core.errors import Forbidden, Limited, NotFound
from kijko.core.window import told
from kijko.core.words import counted

METRIC: Final = "invitation_mails"
MOST_TO_AN_ADDRESS: Final = 5
"""Mails an hour, as kijko.mail_wait has it."""


class InvitationNotFound(NotFound):
    """There is no such invitation: it was taken back, or it was sent again, and then the newest mail has the link."""

    code = "INVITATION_NOT_FOUND"


class InvitationExpired(NotFound):
    """This invitation has expired. Ask whoever invited you to send it again."""

    code = "INVITATION_EXPIRED"


class WrongRecipient(Forbidden):
    """This invitation is for another e-mail address. Sign in with the account of the address that it was sent to."""

    code = "WRONG_RECIPIENT"


class TooManyMails(Limited):
    """Enough invitations were mailed for now. Try again later."""

    def __init__(self, wait_s: int) -> None:
        seconds = max(1, wait_s)
        super().__init__(
            f"Enough invitations were mailed to this address, or by your organization, in the last hour. "
            f"Try again in {counted(-(-seconds // 60), 'minute')}.",
            details=told(METRIC, MOST_TO_AN_ADDRESS, MOST_TO_AN_ADDRESS, seconds),
            retry_after_s=seconds,
        )
