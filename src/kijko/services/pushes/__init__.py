"""Pushes: GitHub or GitLab tells that a repository has new commits, and the next ingestion starts.

Owns the tables repository_webhooks and repository_deliveries. The ingestion is asked for in the database, with the
delivery's own row (`kijko.start_for_push`), so that a delivery that comes twice starts one.
"""

from kijko.services.pushes.pushes import forget, receive, secret
from kijko.services.pushes.rules import Delivery

__all__ = ["Delivery", "forget", "receive", "secret"]
