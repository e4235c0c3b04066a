"""Presence: who is there, told as `user:status` to those who are there too and share an organization.

Owns the tables presence_processes, presences and people_present. Each process of the API writes whom it has
(`Present`); the scheduler compares that with what was told (`tell`), so that nobody is told twice, whatever dies.
"""

from kijko.services.presence.present import Present
from kijko.services.presence.telling import tell

__all__ = ["Present", "tell"]
