"""Many small segments become one: what is found stays, whatever is published meanwhile."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import psycopg

from kijko.core.db import Scalar
from kijko.services import search
from kijko.services.search import queries
from kijko.services.search.upkeep import MOST_SMALL
from tests.conftest import Person
from tests.projects.making import make_project
from tests.search.conftest import Indexed
from tests.search.indexing import Index

PersonFactory = Callable[..., Person]
Owner = psycopg.Connection[Any]
Answers = dict[str, list[dict[str, Any]]]

_WORDS = ["zebra", "lion", "tiger", "otter", "heron", "raven", "adder", "egret", "bison", "camel", "dingo", "eland"]
QUESTIONS = ["zebra_feeder", "feed the lion and the otter", "heron", "raven washer of the zoo", "keeper of camels"]
MANY = 3 * MOST_SMALL
_PID = Scalar(int, "select pg_backend_pid()")


def _file(number: int) -> tuple[str, str]:
    one, two = _WORDS[number % len(_WORDS)], _WORDS[number * 5 % 7]
    text = (
        f"def {one}_feeder_{number}(zoo):\n"
        + f"    return zoo.{two}.keeper.feed({number})\n" * (1 + number % 3)
        + f"\n\ndef {two}_washer_{number}(zoo):\n    # washes the {one} of the zoo\n    zoo.{one}.wash({number})\n"
    )
    return f"zoo/{one}_{number}.py", text


FILES = dict(_file(number) for number in range(MANY))
LAST = list(FILES)[-1]


async def _answers(one: Person, project: dict[str, Any]) -> Answers:
    found: Answers = {}
    for question in QUESTIONS:
        answer = await one.http.get(f"/projects/{project['id']}/search", params={"q": question, "limit": 50})
        assert answer.status_code == 200, answer.text
        # Each test file is an upload of its own, so two projects differ in that.
        found[question] = [{**each, "uploadId": None} for each in answer.json()]
        assert found[question]
    return found


async def _same_as_at_once(one: Person, project: dict[str, Any], indexed: Indexed) -> None:
    """The project's answers are those of another one, into which all files were published together."""
    other = await make_project(one)
    await indexed(one, other).ingest(FILES)
    assert await _answers(one, project) == await _answers(one, other)


def _unordered(found: Answers) -> dict[str, list[tuple[Any, ...]]]:
    """The answers with their scores; what scores alike stands as its chunks were numbered, and those numbers differ."""
    return {question: sorted(tuple(each.values()) for each in results) for question, results in found.items()}


def _served(owner: Owner, project: dict[str, Any]) -> tuple[list[int], list[int], bool]:
    """A project's segments, its dead numbers, and whether it is due."""
    row = owner.execute(
        "select segments, dead, due from search_indexes where project_id = %s", (project["id"],)
    ).fetchone()
    assert row is not None
    return row[0], row[1], row[2]


async def _merge_all(index: Index, owner: Owner, project: dict[str, Any]) -> None:
    """As the scheduler does until nothing is left to do; the stack's own may be at it too."""
    while _served(owner, project)[2]:
        await search.sweep(index.database)


async def _publish_one_by_one(index: Index, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        await index.ingest({path: text})


async def test_many_small_publishes_answer_the_same_before_and_after_they_are_merged(
    person: PersonFactory, indexed: Indexed, owner: Owner
) -> None:
    one = person()
    project = await make_project(one)
    index = indexed(one, project)
    await _publish_one_by_one(index, FILES)
    before = await _answers(one, project)
    await _merge_all(index, owner, project)
    segments, _, _ = _served(owner, project)
    assert len(segments) < MOST_SMALL
    assert await _answers(one, project) == before
    await _same_as_at_once(one, project, indexed)


async def test_merging_leaves_nothing_of_what_was_replaced_or_removed(
    person: PersonFactory, indexed: Indexed, owner: Owner
) -> None:
    one = person()
    project, fresh = await make_project(one), await make_project(one)
    index = indexed(one, project)
    await _publish_one_by_one(index, FILES)
    await _merge_all(index, owner, project)  # so that what is dead stands among what is not
    paths = list(FILES)
    changed = {path: FILES[path].replace("zoo", "park") for path in paths[2:20:3]}
    await _publish_one_by_one(index, changed)
    await index.ingest({}, removed=paths[:2])
    before = await _answers(one, project)
    await _merge_all(index, owner, project)
    left = {path: text for path, text in (FILES | changed).items() if path not in paths[:2]}
    await indexed(one, fresh).ingest(left)
    after = await _answers(one, project)
    assert _unordered(after) == _unordered(await _answers(one, fresh))
    for question in QUESTIONS:
        assert {each["path"] for each in after[question]} == {each["path"] for each in before[question]}
    numbers = owner.execute(
        "select array_agg(n order by n) from search_segments s cross join unnest(s.numbers) n where s.project_id = %s",
        (project["id"],),
    ).fetchone()
    assert numbers is not None
    assert set(numbers[0]) - set(_served(owner, project)[1]) == set(index.numbers(list(left)))


async def _somebody_waits_for(owner: Owner, pid: int) -> bool:
    """Whether, soon, another transaction waits for what that backend's holds."""
    for _ in range(200):
        row = owner.execute(
            "select exists (select from pg_locks w join pg_locks h using (transactionid) "
            "where not w.granted and h.granted and h.pid = %s)",
            (pid,),
        ).fetchone()
        if row is not None and row[0]:
            return True
        await asyncio.sleep(0.02)
    return False


async def test_a_publish_that_comes_while_segments_are_merged_waits_and_is_found(
    person: PersonFactory, indexed: Indexed, owner: Owner
) -> None:
    one = person()
    project = await make_project(one)
    index = indexed(one, project)
    await _publish_one_by_one(index, {path: text for path, text in FILES.items() if path != LAST})
    async with index.database.system("a test") as merging:
        segments = [each.id for each in await queries.inspect(merging, index.project)]
        assert await queries.merge(merging, index.organization, index.project, segments) is not None
        pid = await merging.one(_PID)
        publishing = asyncio.create_task(index.ingest({LAST: FILES[LAST]}))
        assert await _somebody_waits_for(owner, pid)
        assert not publishing.done()
    await publishing
    assert len(_served(owner, project)[0]) == 2
    await _same_as_at_once(one, project, indexed)


async def test_a_merge_that_comes_while_something_is_published_waits_and_keeps_it(
    person: PersonFactory, indexed: Indexed, owner: Owner
) -> None:
    one = person()
    project = await make_project(one)
    index = indexed(one, project)
    await _publish_one_by_one(index, {path: text for path, text in FILES.items() if path != LAST})
    ingestion = uuid.uuid4()
    await index.stage(ingestion, {LAST: FILES[LAST]})
    async with index.database.system("a test") as tx:
        await search.publish(tx, index.organization, index.project, ingestion, [])
        pid = await tx.one(_PID)
        merging = asyncio.create_task(_merge_all(index, owner, project))
        assert await _somebody_waits_for(owner, pid)
        assert not merging.done()
        owner.execute("update source_files set live = true where ingestion_id = %s", (ingestion,))
    await merging
    await _merge_all(index, owner, project)
    assert len(_served(owner, project)[0]) < MOST_SMALL
    await _same_as_at_once(one, project, indexed)


async def test_what_was_published_is_found_at_every_moment_while_others_publish_and_merge(
    person: PersonFactory, indexed: Indexed, owner: Owner
) -> None:
    one = person()
    project = await make_project(one)
    index = indexed(one, project)
    paths = list(FILES)
    await index.ingest({paths[0]: FILES[paths[0]]})

    async def publish() -> None:
        for path in paths[1:]:
            await index.ingest({path: FILES[path]})
            await asyncio.sleep(0)

    publishing = asyncio.create_task(publish())
    while not publishing.done():
        await search.sweep(index.database)
        answer = await one.http.get(f"/projects/{project['id']}/search", params={"q": "zebra_feeder_0"})
        assert [each["path"] for each in answer.json()][:1] == [paths[0]]
    await publishing
    await _merge_all(index, owner, project)
    assert len(_served(owner, project)[0]) < MOST_SMALL
    await _same_as_at_once(one, project, indexed)
