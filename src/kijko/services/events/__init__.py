"""Events: what happened, in the log of the room of those whom it concerns, as it happens.

Owns the tables room_events and room_heads. A room is `project:{id}`, `user:{id}` or `organization:{id}`; its events are
numbered without gaps and become visible in that order. Written in the transaction of what they tell, by `write` or, in
SQL, by `kijko.write_event`; `told` then lets whoever listens look.
"""

from kijko.services.events.log import Event, project_room, told, trim, user_room, write

__all__ = ["Event", "project_room", "told", "trim", "user_room", "write"]
