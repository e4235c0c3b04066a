"""Invitations and notices on their way: mails, links, and accepting. Who invites is projects' and organizations'.

Owns the tables invitations, invitation_links, invited_seats and mails. Held at all times: an address with an open
invitation holds one seat of its organization, however many there are; of a token only a digest is kept; a mail that was
asked for is sent, or its row says why not. More: docs/people.md.
"""

from kijko.services.invitations.accepting import accept, check, join
from kijko.services.invitations.outbox import Outbox, forget, sweep

__all__ = ["Outbox", "accept", "check", "forget", "join", "sweep"]
