"""Sending what is in the outbox. Any number of processes may: a mail is one's own under a lease.

A token is made for each try and its digest kept before the mail goes out, so that no token is kept anywhere. A process
that dies after the mail server took the mail and before that was written down leaves a mail to be sent again; then both
links work.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Final
from uuid import UUID, uuid4

from kijko.clients.mail import Mailer, MailRefused, MailUnavailable
from kijko.core.tenancy import SystemReader, Tenants
from kijko.services.invitations import letters, notices, outbox_queries, tokens
from kijko.services.invitations.outbox_queries import Due
from kijko.services.invitations.paper import Language
from kijko.settings import Settings

log = logging.getLogger(__name__)

_WHY: Final = "mails of every organization's invitations"
_AT_ONCE: Final = 8
_FIRST_DELAY_S: Final = 2.0
_LONGEST_DELAY_S: Final = 1800.0


@dataclass(frozen=True, slots=True)
class Outbox:
    """What sending takes; `id` holds the leases."""

    database: Tenants
    mailer: Mailer
    settings: Settings
    id: UUID = field(default_factory=uuid4)

    @property
    def door(self) -> SystemReader:
        """Statements past row-level security."""
        return self.database.system_reader(_WHY)

    async def send_due(self) -> int:
        """Sends what is due until nothing is; how many mails a server took. Never fails for a mail server's sake."""
        sent = 0
        while found := await outbox_queries.claim(self.door, self.id, self.settings.mail.lease_s, _AT_ONCE):
            sending = [asyncio.create_task(self._send(each)) for each in found]
            try:
                await asyncio.wait(sending)
            except asyncio.CancelledError:
                # A mail that a server is just taking cannot be called back: it is written down before this ends.
                await asyncio.wait(sending)
                raise
            sent += sum(each.result() for each in sending)
        return sent

    async def _send(self, mail: Due) -> bool:
        link = await self._link(mail)
        if link is None:
            return False
        try:
            await self.mailer.send(_written(mail, link, self.settings.mail.sender))
        except MailUnavailable as error:
            log.warning("mail %s waits for the mail server: %s", mail.id, error)
            await outbox_queries.again(self.door, mail.id, self.id, str(error), delay_s(mail.attempts))
            return False
        except (MailRefused, ValueError) as error:
            log.warning("mail %s is not sent: %s", mail.id, error)
            await outbox_queries.failed(self.door, mail.id, self.id, str(error))
            return False
        if not await outbox_queries.sent(self.door, mail.id, self.id):
            log.warning("mail %s took longer than its lease, or was replaced while it was sent", mail.id)
        return True

    async def _link(self, mail: Due) -> str | None:
        """Where the mail's button leads; None where the mail is no longer this sender's."""
        if mail.kind == "added":
            return f"{self.settings.web_url}/projects/{mail.project_id}"
        token = tokens.fresh()
        if not await outbox_queries.link(self.door, mail.id, self.id, tokens.digest(token)):
            return None
        return f"{self.settings.web_url}/invitations/{token}"


def delay_s(attempts: int) -> float:
    """How long to wait after so many tries in vain: 2 s, 4 s … half an hour."""
    return float(min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2 ** min(attempts - 1, 20)))


async def sweep(database: Tenants) -> None:
    """Gives the seats of expired invitations back."""
    await outbox_queries.sweep_seats(database.system_reader("seats of expired invitations, of every organization"))


async def forget(database: Tenants) -> None:
    """Forgets mails and accepted invitations of long ago."""
    await outbox_queries.forget(database.system_reader("mails and invitations past their time"))


def _written(mail: Due, link: str, sender: str) -> EmailMessage:
    language: Language = "nl" if mail.locale == "nl" else "en"
    now = datetime.now(UTC)
    if mail.expires_at is None:
        added = notices.Added(
            mail_id=mail.id,
            email=mail.email,
            language=language,
            adder=mail.inviter,
            organization=mail.organization,
            project=mail.project or "",
            message=mail.message,
        )
        return notices.written(added, link, sender, now)
    invitation = letters.Invitation(
        mail_id=mail.id,
        email=mail.email,
        language=language,
        inviter=mail.inviter,
        organization=mail.organization,
        project=mail.project,
        message=mail.message,
        expires_at=mail.expires_at,
    )
    return letters.written(invitation, link, sender, now)
