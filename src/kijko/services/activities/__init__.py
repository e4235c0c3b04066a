"""Activities: who did what, told as `activity:new` in the room of everybody whom it concerns.

Owns the table activities, a queue. Triggers note what happens with the change itself (kijko.note_deed); the scheduler
tells it, a batch at a time, and what was told is in the rooms' logs and nowhere else.
"""

from kijko.services.activities.telling import tell

__all__ = ["tell"]
