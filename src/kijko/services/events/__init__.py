"""Events: what happened, in the log of the room of those whom it concerns, as it happens.

Owns the tables room_events and room_heads. A room is `project:{id}`, `user:{id}` or `organization:{id}`; its events are
numbered without gaps and become visible in that order. Written in the transaction of what they tell, by `write` or, in
SQL, by `kijko.write_event`; `told` then lets whoever listens look. Read by `Listening`, for listeners of any room.
"""

from kijko.services.events.listening import PAGE, Listening, Listens, NoSuchRoom, Page
from kijko.services.events.log import Event, notice_of, project_room, told, trim, user_room, write
from kijko.services.events.reading_queries import Entry, Head

__all__ = [
    "PAGE",
    "Entry",
    "Event",
    "Head",
    "Listening",
    "Listens",
    "NoSuchRoom",
    "Page",
    "notice_of",
    "project_room",
    "told",
    "trim",
    "user_room",
    "write",
]
