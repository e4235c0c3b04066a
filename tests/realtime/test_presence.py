"""`user:status`: who comes and goes is told to colleagues who are there, and to nobody else."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.conftest import Person, Shared
from tests.projects.making import hire, make_project
from tests.realtime.making import Owner, socket
from tests.realtime.socketio import Client, client

Make = Callable[..., Person]


async def status(listening: Client, of: Person) -> dict[str, Any]:
    """The next word on that person."""
    while True:
        event, data, _ = await listening.next_around()
        if event == "user:status" and data["userId"] == str(of.id):
            return data


def _taken(listening: Client) -> list[Any]:
    """Everything that is in the queue."""
    return [listening.around.get_nowait() for _ in range(listening.around.qsize())]


async def test_who_comes_and_goes_is_told_to_colleagues_who_are_there(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    boss = person()
    colleague = hire(owner, shared, boss, person())
    async with client(stack_env, boss.token) as first:
        await first.until("joined")
        async with client(stack_env, colleague.token) as second:
            there = await status(second, boss)
            assert there == {"userId": str(boss.id), "status": "online", "since": there["since"]}
            come = await status(first, colleague)
            assert come["status"] == "online"
            assert come["since"] is not None
        assert (await status(first, colleague))["status"] == "offline"


async def test_a_second_tab_learns_who_is_there_and_its_end_is_no_going(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    boss = person()
    colleague = hire(owner, shared, boss, person())
    async with client(stack_env, boss.token) as first, client(stack_env, colleague.token) as second:
        assert (await status(first, colleague))["status"] == "online"
        async with client(stack_env, boss.token) as tab:
            told = await status(tab, colleague)
            assert (told["status"], told["since"]) == ("online", None)
        await status(second, boss)
        # Longer than the grace after the last connection that ended.
        await asyncio.sleep(4)
        assert [event for event, *_ in _taken(second) if event == "user:status"] == []


async def test_a_page_that_is_loaded_anew_is_no_coming_and_going(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    boss = person()
    colleague = hire(owner, shared, boss, person())
    async with client(stack_env, boss.token) as first:
        for _ in range(3):
            async with client(stack_env, colleague.token) as second:
                await second.until("joined")
                await asyncio.sleep(0.7)
        told = [await status(first, colleague), await status(first, colleague)]
    assert [one["status"] for one in told] == ["online", "offline"]


async def test_somebody_on_the_plain_websocket_is_there_and_strangers_are_not_told(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    boss, stranger = person(), person()
    colleague = hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="shared")
    async with client(stack_env, boss.token) as first, client(stack_env, stranger.token) as other:
        async with socket(stack_env, project["id"], colleague.token) as plain:
            await plain.until("joined")
            assert (await status(first, colleague))["status"] == "online"
        assert (await status(first, colleague))["status"] == "offline"
        await other.until("joined")
        assert [event for event, *_ in _taken(other) if event == "user:status"] == []


async def test_people_of_a_process_that_died_have_gone(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    boss = person()
    colleague = hire(owner, shared, boss, person())
    process = colleague.id  # a process that will say nothing any more
    async with client(stack_env, boss.token) as first:
        await first.until("joined")
        owner.execute("select kijko.note_presence(%s, %s, '{}')", (process, [colleague.id]))
        assert (await status(first, colleague))["status"] == "online"
        owner.execute("update presence_processes set seen_at = now() - interval '1 minute' where id = %s", (process,))
        assert (await status(first, colleague))["status"] == "offline"
