"""Why a connection is closed: a code that the client can act on, and a sentence. Browsers show no answer to a handshake
that is refused, so a socket is accepted first and then closed with these."""

from dataclasses import dataclass
from typing import Final

from kijko.core.errors import AppError, Forbidden, Limited, NotFound, Unauthenticated

_LONGEST: Final = 120
"""Bytes of a reason; the protocol allows 123."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a connection ends: a close code and a sentence."""

    code: int
    reason: str


class Refused(Exception):
    """The connection is to be closed."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


TOKEN_EXPIRED: Final = Refusal(4001, "Your sign-in has expired. Connect again with a new access token.")
BAD_ID: Final = Refusal(4400, "lastId is not an id of this room. Send the last one you got, or none.")
BAD_MESSAGE: Final = Refusal(4400, 'Messages are JSON: {"event": "token:refresh", "data": {"token": "…"}}.')
TOO_SLOW: Final = Refusal(4008, "You read too slowly. Connect again with the last id you got.")
TOO_MANY_MESSAGES: Final = Refusal(4029, "You send too many messages. Connect again and send fewer.")
BAD_PACKET: Final = Refusal(4400, "That is no packet of Socket.IO as this server reads it: texts, without bytes.")
SILENT: Final = Refusal(4000, "Nothing was heard of you for too long. Connect again with the last ids you got.")
NO_HANDSHAKE: Final = Refusal(4001, "No handshake came. Connect with your access token in auth.token.")
CROWDED: Final = Refusal(1013, "This server has as many connections as it takes. Connect again in a moment.")
DONE: Final = Refusal(1000, "")
BROKEN: Final = Refusal(1011, "Something went wrong on our side. Please connect again.")


def of(error: AppError) -> Refusal:
    """The refusal that an error becomes."""
    match error:
        case Unauthenticated():
            code = 4001
        case Forbidden():
            code = 4003
        case NotFound():
            code = 4004
        case Limited():
            code = 4029
        case _:
            code = 1013  # try again later
    return Refusal(code, error.detail.encode()[:_LONGEST].decode(errors="ignore"))
