"""`{{context}}` in a run: what the prompt holds, what the execution cites, and who sees it."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg

from kijko.models.executions import SkillExecution
from tests.conftest import Person, Shared
from tests.executions import providers
from tests.executions.test_http import execute
from tests.executions.test_stream import Listener, text_of
from tests.projects.making import hire, join, make_project, said
from tests.search.conftest import Indexed
from tests.search.test_http import CONFIG, FILES
from tests.skills.test_http import make_skill

PersonFactory = Callable[..., Person]
Owner = psycopg.Connection[Any]


async def run(one: Person, skill: dict[str, Any], **body: Any) -> dict[str, Any]:
    """Runs the skill; the execution as it is read."""
    done = await execute(one, skill, **body)
    answer = await one.http.get(f"/executions/{done['executionId']}")
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read


async def asking(
    one: Person, project: dict[str, Any], template: str = "{{question}}\n{{context}}", **context: Any
) -> dict[str, Any]:
    """A skill over that project."""
    return await make_skill(one, promptTemplate=template, context={"projectId": project["id"], **context})


async def test_the_prompt_holds_the_lines_that_the_execution_cites(
    person: PersonFactory, indexed: Indexed, owner: Owner
) -> None:
    one = person()
    project = await make_project(one)
    added = await one.http.post(
        f"/projects/{project['id']}/repositories",
        json={"provider": "github", "repositoryUrl": "https://github.com/kijko/example", "branch": "main"},
    )
    owner.execute(
        "update project_repositories set last_commit_hash = repeat('c', 40) where id = %s", (added.json()["id"],)
    )
    await indexed(one, project).ingest(FILES, repository=added.json()["id"])
    read = await run(one, await asking(one, project), input={"question": "how is the config parsed?"})
    assert (read["status"], read["errorMessage"]) == ("completed", None)
    assert SkillExecution.model_validate(read).model_dump(mode="json", by_alias=True) == read
    best = read["citations"][0]
    assert best["path"] == "app/config.py"
    assert (best["projectId"], best["repository"], best["commit"]) == (project["id"], "kijko/example", "c" * 40)
    lines = CONFIG.split("\n")[best["startLine"] - 1 : best["endLine"]]
    assert "def parseConfig(text):" in lines
    assert "\n".join(lines) in read["renderedPrompt"]
    assert read["renderedPrompt"].startswith("how is the config parsed?\napp/config.py, lines ")


async def test_neighbouring_chunks_are_cited_as_one(person: PersonFactory, indexed: Indexed) -> None:
    one = person()
    project = await make_project(one)
    await indexed(one, project).ingest({"app/config.py": CONFIG})
    read = await run(one, await asking(one, project, query="config json"), input={"question": "x"})
    assert [(c["path"], c["startLine"], c["endLine"]) for c in read["citations"]] == [
        ("app/config.py", 1, CONFIG.count("\n"))
    ]
    assert (read["citations"][0]["repository"], read["citations"][0]["commit"]) == ("uploads", "a" * 40)


async def test_a_budget_of_tokens_is_kept_and_one_too_small_gives_no_code(
    person: PersonFactory, indexed: Indexed
) -> None:
    one = person()
    project = await make_project(one)
    body = "    stripe = 1\n" * 40
    await indexed(one, project).ingest({f"f{n}.py": f"def zebra_{n}():\n{body}" for n in range(9)})
    small = await run(one, await asking(one, project, maxTokens=10), input={"question": "zebra"})
    assert (small["status"], small["citations"], small["renderedPrompt"]) == ("completed", [], "zebra\n")
    some = await run(one, await asking(one, project, maxTokens=500), input={"question": "zebra"})
    assert 1 <= len(some["citations"]) <= 3
    many = await run(one, await asking(one, project, maxTokens=4000), input={"question": "zebra"})
    assert len(many["citations"]) == 9


async def test_the_query_is_a_template_and_by_default_the_input(person: PersonFactory, indexed: Indexed) -> None:
    one = person()
    project = await make_project(one)
    await indexed(one, project).ingest(FILES)
    by_query = await asking(one, project, query="shut {{what}} down", maxTokens=60)
    read = await run(one, by_query, input={"question": "config", "what": "server"})
    assert {each["path"] for each in read["citations"]} == {"app/server.py"}
    read = await run(one, await asking(one, project, maxTokens=60), input={"question": "writeConfig"})
    assert {each["path"] for each in read["citations"]} == {"app/config.py"}


async def test_a_requests_context_stands_instead_of_the_skills(person: PersonFactory, indexed: Indexed) -> None:
    one = person()
    mine, other = await make_project(one), await make_project(one)
    await indexed(one, mine).ingest({"mine.py": "def zebra():\n    pass\n"})
    await indexed(one, other).ingest({"other.py": "def zebra():\n    pass\n"})
    skill = await asking(one, mine)
    read = await run(one, skill, input={"question": "zebra"}, context={"projectId": other["id"]})
    assert [each["path"] for each in read["citations"]] == ["other.py"]


async def test_code_is_text_in_the_prompt_and_never_a_template(person: PersonFactory, indexed: Indexed) -> None:
    one = person()
    project = await make_project(one)
    line = "    return '{{secret}} {{context}} {{payload}} \\\\1'"
    await indexed(one, project).ingest({"t.py": f"def zebra():\n{line}\n"})
    read = await run(one, await asking(one, project), input={"question": "zebra", "secret": "hush"})
    assert line in read["renderedPrompt"]
    assert "hush" not in read["renderedPrompt"]


async def test_a_prompt_without_a_place_for_code_cites_none(person: PersonFactory, indexed: Indexed) -> None:
    one = person()
    project = await make_project(one)
    await indexed(one, project).ingest(FILES)
    read = await run(one, await asking(one, project, "{{question}}"), input={"question": "config"})
    assert (read["citations"], read["renderedPrompt"]) == (None, "config")
    given = await run(one, await asking(one, project), input={"question": "config", "context": "my own"})
    assert (given["citations"], given["renderedPrompt"]) == (None, "config\nmy own")


async def test_a_project_that_is_gone_ends_the_run_with_a_reason_and_gives_the_quota_back(
    person: PersonFactory, indexed: Indexed, owner: Owner
) -> None:
    one = person()
    project = await make_project(one)
    skill = await asking(one, project)
    assert (await one.http.delete(f"/projects/{project['id']}")).status_code == 200
    read = await run(one, skill, input={"question": "x"})
    assert (read["status"], read["errorCode"], read["attempts"]) == ("failed", "PROJECT_NOT_FOUND", 1)
    assert "gone, or is not one that you may read" in read["errorMessage"]
    assert read["citations"] is None
    row = owner.execute("select sum(quantity) from usage_ledger where subject_id = %s", (read["id"],)).fetchone()
    assert row == (0,)


async def test_a_right_that_is_lost_after_the_skill_was_made_counts_at_the_next_run(
    person: PersonFactory, indexed: Indexed, owner: Owner, shared: Shared
) -> None:
    boss = person()
    worker = hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="private")
    await indexed(boss, project).ingest(FILES)
    join(owner, project, worker, "viewer")
    skill = await asking(worker, project)
    assert (await run(worker, skill, input={"question": "config"}))["citations"]
    owner.execute("delete from project_members where project_id = %s and user_id = %s", (project["id"], worker.id))
    read = await run(worker, skill, input={"question": "config"})
    assert (read["status"], read["errorCode"]) == ("failed", "PROJECT_NOT_FOUND")
    assert "parseConfig" not in (read["renderedPrompt"] or "")


async def test_a_run_that_cites_a_private_project_is_shown_and_counted_to_its_readers_only(
    person: PersonFactory, indexed: Indexed, owner: Owner, shared: Shared
) -> None:
    boss = person()
    reader, outsider = hire(owner, shared, boss, person()), hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="private")
    await indexed(boss, project).ingest(FILES)
    join(owner, project, reader, "viewer")
    read = await run(boss, await asking(boss, project), input={"question": "config"})
    assert (await reader.http.get(f"/executions/{read['id']}")).json()["citations"] == read["citations"]
    assert said(await outsider.http.get(f"/executions/{read['id']}")) == (404, "EXECUTION_NOT_FOUND")
    owner.execute("update projects set privacy = 'shared' where id = %s", (project["id"],))
    assert (await outsider.http.get(f"/executions/{read['id']}")).status_code == 200
    await boss.http.delete(f"/projects/{project['id']}")
    assert said(await reader.http.get(f"/executions/{read['id']}")) == (404, "EXECUTION_NOT_FOUND")
    assert (await boss.http.get(f"/executions/{read['id']}")).status_code == 200


async def test_what_a_run_over_a_private_project_says_is_told_to_its_readers_only(
    person: PersonFactory, indexed: Indexed, owner: Owner, shared: Shared
) -> None:
    boss = person(plan="free")
    reader, outsider = hire(owner, shared, boss, person()), hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="private")
    await indexed(boss, project).ingest(FILES)
    join(owner, project, reader, "viewer")
    plain = await make_skill(boss, promptTemplate="{{text}}")
    before = [await providers.start(boss, plain, "sleep:60 x") for _ in range(2)]
    for each in before:
        await providers.until(owner, each, "running")
    # It waits, and nobody knows yet what it will be given: everybody of the organization may see that it waits.
    skill = await asking(boss, project, template="{{text}} {{context}}")
    execution_id = await providers.start(boss, skill, "stream:2 how is the config parsed?")
    hers, theirs = Listener(reader, execution_id), Listener(outsider, execution_id)
    async with asyncio.timeout(30):  # after that the outsider is not let in any more
        await asyncio.gather(hers.opened.wait(), theirs.opened.wait())
    for each in before:
        await boss.http.post(f"/executions/{each}/cancel")
    await hers.task
    await theirs.task
    assert "parseConfig" in text_of(hers.events)
    assert len(hers.events) > 5
    assert theirs.events == []
