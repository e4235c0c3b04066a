"""Packets of Socket.IO 5 as text, and as frames of a WebSocket; of the main namespace, and none with bytes."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from kijko.realtime.frames import wire_time
from kijko.services.events import Entry

Body = Mapping[str, Any]  # JSON
CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR = "0", "1", "2", "3", "4"
_MESSAGE: Final = "4"
"""What Engine.IO puts before a packet of Socket.IO."""
_TEXT_FRAME: Final = 0x81
_LONGEST_NAMESPACE: Final = 100
"""It is said again in the answer, so whoever asks would choose how long that is."""


class Malformed(ValueError):
    """A client sent no packet that this server reads."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A client's packet. `data` is what its JSON holds; None where it has none."""

    kind: str
    namespace: str
    ack_id: int | None
    data: Any  # JSON


@dataclass(frozen=True, slots=True)
class Batch:
    """Packets for many, written once: as texts for who polls, as whole frames for WebSockets."""

    texts: Sequence[str]
    frames: bytes


def parse(text: str) -> Packet:
    """Reads a packet of Socket.IO.

    Raises:
        Malformed: it is none, or of a kind that carries bytes.
    """
    kind, at = text[:1], 1
    if kind not in {CONNECT, DISCONNECT, EVENT, ACK}:
        raise Malformed
    namespace = "/"
    if text[at : at + 1] == "/":
        end = text.find(",", at)
        end = len(text) if end < 0 else end
        namespace, at = text[at:end].partition("?")[0], end + 1
        if len(namespace) > _LONGEST_NAMESPACE:
            raise Malformed
    begin = at
    while at < len(text) and text[at] in "0123456789" and at - begin < 16:
        at += 1
    try:
        data = orjson.loads(text[at:]) if at < len(text) else None
    except orjson.JSONDecodeError:
        raise Malformed from None
    return Packet(kind, namespace, int(text[begin:at]) if at > begin else None, data)


def connected(sid: str) -> str:
    """The handshake was taken."""
    return f'{_MESSAGE}{CONNECT}{{"sid":"{sid}"}}'


def refused(code: str, message: str, *, namespace: str = "/") -> str:
    """The handshake was not taken: the client's `connect_error`, with the code in its `data`."""
    where = "" if namespace == "/" else f"{namespace},"
    return f"{_MESSAGE}{CONNECT_ERROR}{where}{_json({'message': message, 'data': {'code': code}})}"


def event(name: str, data: Body, *, room: str, last_id: int) -> str:
    """An event of the connection itself. It carries the id of the room's last event."""
    about = {"room": room, "id": str(last_id), "timestamp": wire_time(datetime.now(UTC))}
    return f"{_MESSAGE}{EVENT}{_json([name, data, about])}"


def acknowledged(ack_id: int, body: Body) -> str:
    """The answer to an event that asked for one."""
    return f"{_MESSAGE}{ACK}{ack_id}{_json([body])}"


def disconnected() -> str:
    """The server ends the connection; the client does not connect again by itself."""
    return _MESSAGE + DISCONNECT


def batch_of(room: str, entries: Sequence[Entry]) -> Batch:
    """Events of a room. The same list is written once: its listeners are told one after the other."""
    if _latest and _latest[0][0] is entries:
        return _latest[0][1]
    texts = [_text_of(room, entry) for entry in entries]
    batch = Batch(texts, b"".join(map(frame, texts)))
    _latest[:] = [(entries, batch)]
    return batch


_latest: list[tuple[Sequence[Entry], Batch]] = []


def frame(text: str) -> bytes:
    """A text as one frame of a WebSocket, as a server sends it: whole, and with no mask."""
    payload = text.encode()
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", _TEXT_FRAME, length)
    elif length < 65_536:
        head = struct.pack("!BBH", _TEXT_FRAME, 126, length)
    else:
        head = struct.pack("!BBQ", _TEXT_FRAME, 127, length)
    return head + payload


def _text_of(room: str, entry: Entry) -> str:
    about = f'{{"room":"{room}","id":"{entry.id}","timestamp":"{entry.told_at}"}}'
    return f'{_MESSAGE}{EVENT}["{entry.event}",{entry.data},{about}]'


def _json(value: Any) -> str:  # Any: JSON
    return orjson.dumps(value).decode()
