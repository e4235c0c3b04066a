"""A process takes so many sessions of Socket.IO and no more; nobody keeps those out who have signed in."""

import pytest

from kijko.realtime.engine import Crowded, Engine, Session


class Silent:
    """Whoever talks over a session; it has nothing to say."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.has_left = False

    async def hear(self, packet: str) -> None:
        """Nothing."""

    def overflowed(self) -> None:
        """Nothing."""

    def left(self) -> None:
        """The session has ended."""
        self.has_left = True


async def test_strangers_make_room_the_oldest_first_and_who_is_known_stays() -> None:
    clients: list[Silent] = []

    def accept(session: Session) -> Silent:
        clients.append(Silent(session))
        return clients[-1]

    engine = Engine({}, accept, most=3)
    known = [engine.open(None) for _ in range(2)]
    for one in known:
        one.known()
    for _ in range(20):
        last = engine.open(None)
    assert list(engine.sessions) == [*(one.sid for one in known), last.sid]
    assert list(engine.strangers) == [last.sid]
    assert [one.has_left for one in clients] == [False] * 2 + [True] * 19 + [False]
    last.known()
    with pytest.raises(Crowded):
        engine.open(None)
    for one in (*known, last):
        one.end()
