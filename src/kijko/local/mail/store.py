"""The mails that were caught: the last 500, and no more than 64 MB."""

import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

MOST_MESSAGES = 500
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Mail:
    """One caught mail. `to` is the first recipient, `received` an ISO time in UTC."""

    id: str
    to: str
    sender: str
    subject: str
    text: str
    html: str
    received: str

    def as_dict(self) -> dict[str, str]:
        """The mail as `GET /messages` lists it."""
        return asdict(self)


def parse(sender: str, recipients: list[str], content: bytes) -> Mail:
    """Read a mail as it came over SMTP."""
    message = message_from_bytes(content, policy=policy.default)
    return Mail(
        id=uuid.uuid4().hex,
        to=recipients[0] if recipients else "",
        sender=sender,
        subject=str(message["subject"] or ""),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        received=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # a charset that nobody knows
        return str(part.get_payload())


class Store:
    """Oldest out first when it is full."""

    def __init__(self) -> None:
        self._mails: deque[tuple[Mail, int]] = deque()
        self._bytes = 0

    def add(self, mail: Mail, size: int) -> None:
        """Keep a mail of `size` bytes."""
        self._mails.append((mail, size))
        self._bytes += size
        while len(self._mails) > MOST_MESSAGES or self._bytes > MOST_BYTES:
            self._bytes -= self._mails.popleft()[1]

    def list(self, to: str | None = None) -> Iterator[Mail]:
        """Newest last; with `to`, only that person's."""
        for mail, _ in self._mails:
            if to is None or mail.to.casefold() == to.casefold():
                yield mail

    def get(self, mail_id: str) -> Mail | None:
        """The mail of this id."""
        return next((mail for mail, _ in self._mails if mail.id == mail_id), None)

    def clear(self) -> None:
        """Forget all."""
        self._mails.clear()
        self._bytes = 0
