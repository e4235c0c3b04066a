"""A process takes so many sessions of Socket.IO and no more; nobody keeps those out who have signed in."""

import pytest

from kijko.realtime import refusals
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
    known = [engine.open(None, "") for _ in range(2)]
    for one in known:
        one.known()
    for _ in range(20):
        last = engine.open(None, "")
    assert list(engine.sessions) == [*(one.sid for one in known), last.sid]
    assert list(engine.strangers) == [last.sid]
    assert [one.has_left for one in clients] == [False] * 2 + [True] * 19 + [False]
    last.known()
    with pytest.raises(Crowded):
        engine.open(None, "")
    for one in (*known, last):
        one.end()


class Told(Silent):
    """It says why it is closed."""

    def overflowed(self) -> None:
        """It is closed, and may ask why."""
        self.session.shed()
        self.session.send("why")
        self.session.close(refusals.TOO_SLOW, again=True)


async def test_who_says_goodbye_leaves_nothing_behind_and_who_was_closed_makes_room_first() -> None:
    engine = Engine({}, Silent, most=3)
    leaving, closed, stranger = [engine.open(None, "") for _ in range(3)]
    for one in (leaving, closed):
        one.known()
        one.send("answer")
    await leaving.receive("1")
    assert list(engine.sessions) == [closed.sid, stranger.sid]
    closed.close(refusals.DONE)
    assert list(engine.sessions) == [closed.sid, stranger.sid]
    fresh = [engine.open(None, "") for _ in range(2)]
    assert list(engine.sessions) == [stranger.sid, *(one.sid for one in fresh)]
    for one in (stranger, *fresh):
        one.end()
    assert (engine.sessions, engine.strangers, engine.lingering, engine.waiting) == ({}, {}, {}, 0)


async def test_a_poll_that_is_broken_off_at_the_end_of_a_session_leaves_nothing_behind() -> None:
    engine = Engine({}, Silent)
    one = engine.open(None, "")
    one.known()
    one.close(refusals.DONE)
    assert list(engine.lingering) == [one.sid]
    one.end()
    assert (engine.sessions, engine.lingering, engine.waiting) == ({}, {}, 0)


async def test_what_waits_for_all_has_a_bound_and_who_has_most_is_let_go() -> None:
    engine = Engine({}, Told, most_waiting=100_000)
    sessions = [engine.open(None, "") for _ in range(30)]
    for one in sessions:
        one.known()
    for size in (100, 1_000, 3_000):
        for one in sessions[: 20 if size > 100 else 30]:
            one.send("x" * size)
    assert not any(one.ended for one in sessions)
    sessions[0].send("x" * 30_000)
    assert engine.waiting <= 75_000
    assert sessions[0].ended
    assert not any(one.ended for one in sessions[20:])
    assert await sessions[0].poll() == "why"
    assert engine.waiting == sum(one.queued for one in engine.sessions.values())
    for one in sessions:
        one.end()
    assert (engine.sessions, engine.lingering, engine.waiting) == ({}, {}, 0)


async def test_strangers_have_little_that_waits() -> None:
    engine = Engine({}, Told)
    one = engine.open(None, "")
    for _ in range(1_000):
        one.send("x" * 100)
    assert one.ended
    assert engine.waiting < 1_000
    one.end()
