"""A list by name search of 10,000 projects: the plan, as the API's own role. What it takes is in the bench."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from psycopg import sql

from kijko.services.projects.list_queries import LISTS, SEARCH
from tests.postgres import Someone, Sql, claims_of, colleague, copy, server, someone

__all__ = ["copy", "server"]

PROJECTS, OTHERS = 10_000, 5
TOTALS = {
    "owner": {"service 77": 111, "payments": 1666, "e": PROJECTS, "no such name": 0, "100%": 0},
    "member": {"service 77": 43, "payments": 1666, "e": 4000, "no such name": 0, "100%": 0},
}
FILL = """
    insert into projects (organization_id, user_id, name, type, privacy, status, created_at, updated_at)
    select
      %s, %s, (array['Payments', 'Billing', 'Search', 'Ledger', 'Gateway', 'Portal'])[1 + i %% 6] || ' service ' || i,
      'repository', case when i %% 3 = 0 then 'shared' else 'private' end, 'active',
      now() - i * interval '1 minute', now() - i * 7919 %% 10000 * interval '1 minute'
    from generate_series(1, %s) i
"""
JOIN = """
    insert into project_members (organization_id, project_id, user_id, email, role, accepted_at)
    select organization_id, id, %s, %s, 'viewer', now() from projects where organization_id = %s and name like '%%7'
"""


@pytest.fixture(scope="module")
def crowd(copy: Callable[[str], Sql]) -> tuple[Sql, dict[str, Someone]]:
    """Six organizations of 10,000 projects whose names have the same words; an owner and a member of the first."""
    database = copy("migrated")
    owners = [someone(database, plan="teams") for _ in range(1 + OTHERS)]
    for one in owners:
        database.run(FILL, one.organization, one.user, PROJECTS)
    member = colleague(database, owners[0])
    database.run(JOIN, member.user, member.email, member.organization)
    # Commits here do not wait for the log, and no page is marked as seen by all before its commits are in it. What
    # analyze commits would keep its neighbours waiting, so it comes last.
    database.run("checkpoint", login="supabase_admin")
    database.run("vacuum")
    database.run("analyze")
    return database, {"owner": owners[0], "member": member}


def listed(database: Sql, who: Someone, words: str, order: str, mode: str) -> tuple[dict[str, Any], str]:
    """The page, and the plans of all that ran, as the API's connections run it."""
    told: list[str] = []
    with database.connect("supabase_admin") as admin:  # who may load what tells plans; it is the API's role that asks
        admin.execute("load 'auto_explain'")
        admin.execute("set auto_explain.log_nested_statements = on")
        admin.execute("select set_config('plan_cache_mode', %s, false)", (mode,))
        admin.execute(
            "select set_config('request.jwt.claims', %s, false), set_config('app.current_org_id', %s, false)",
            (claims_of(who.user), str(who.organization)),
        )
        admin.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        admin.execute(b"prepare listed as " + SEARCH.encoded)
        ask = sql.SQL("execute listed (null, null, 20, 1, {}, {})").format(words, order)
        admin.execute("set auto_explain.log_min_duration = 0")
        admin.execute("set client_min_messages = log")
        admin.execute("set role authenticated")
        row = admin.execute(ask).fetchone()
    assert row is not None
    return row[0], "\n".join(told)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("role", ["owner", "member"])
def test_a_search_by_name_reads_the_index_of_names_alone(
    crowd: tuple[Sql, dict[str, Someone]], role: str, mode: str
) -> None:
    database, people = crowd
    for words, order in [*((words, "-updatedAt") for words in TOTALS[role]), *(("e", order) for order in LISTS)]:
        page, plans = listed(database, people[role], words, order, mode)
        assert page["total"] == TOTALS[role][words]
        assert len(page["data"]) == min(20, page["total"])
        assert "Index Only Scan using projects_name_key on projects" in plans
        assert not re.search(r"Seq Scan on projects\b", plans), plans
