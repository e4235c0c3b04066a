"""Privacy: deletions as jobs, and how far they are. What begins one is the business of what is deleted.

Owns the table deletions. Held at all times: a deletion that was answered for is done in the end, whatever dies in
between; whoever has its token can see how far it is, and keeps the receipt. More: docs/people.md.
"""

from kijko.services.privacy.deletions import status, sweep

__all__ = ["status", "sweep"]
