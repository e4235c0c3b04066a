"""Messages as the plain WebSocket has them: RealtimeMessage, as JSON text."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from kijko.services.events import Entry


@lru_cache(maxsize=1024)
def text_of(entry: Entry) -> str:
    """An event's message, written once for all who get it."""
    return f'{{"event":"{entry.event}","data":{entry.data},"timestamp":"{entry.told_at}","id":"{entry.id}"}}'


def wire_time(instant: datetime) -> str:
    """An instant as the wire has it."""
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


def message(event: str, data: Mapping[str, Any], *, last_id: int) -> str:
    """A message of the connection itself. It carries the id of the last event, so that whoever keeps ids keeps that."""
    body = {"event": event, "data": data, "timestamp": wire_time(datetime.now(UTC)), "id": str(last_id)}
    return orjson.dumps(body).decode()
