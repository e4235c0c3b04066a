"""Inside an organization, in SQL: what its own people cannot give themselves."""

import uuid
from typing import LiteralString

import psycopg
import pytest

from tests.postgres import Someone, Sql, become, claims_of, colleague, someone
from tests.tenancy.acts import do, project_of, skill_of, version

refused = pytest.raises(psycopg.errors.InsufficientPrivilege)


@pytest.mark.parametrize(
    "attack",
    [
        "update memberships set role = 'owner'",
        "insert into memberships (organization_id, user_id, role) "
        "values (kijko.current_org(), gen_random_uuid(), 'owner')",
        "delete from memberships",
        "insert into plan_grants (organization_id, plan_id) values (kijko.current_org(), 'enterprise')",
        "update plan_grants set plan_id = 'enterprise'",
        "update plans set oracle_queries = null",
        "update usage_counters set used = 0",
        "delete from usage_counters",
        "update usage_ledger set quantity = 0",
        "delete from usage_ledger",
        "insert into usage_ledger (organization_id, metric, entry, quantity, subject_id) "
        "values (kijko.current_org(), 'oracle_queries', 'release', -1000, gen_random_uuid())",
        "insert into executions (organization_id, skill_id, skill_version, user_id, model) "
        "values (kijko.current_org(), gen_random_uuid(), 1, auth.uid(), 'echo')",
        "update executions set status = 'completed'",
        "update users set email = 'owner@kijko.test'",
        "update users set default_organization_id = gen_random_uuid()",
        "insert into organizations (name) values ('Another')",
        "delete from organizations",
        "update skills set execution_count = 0",
        "update skills set user_id = auth.uid()",
        "update projects set user_id = auth.uid()",
        "insert into ended_sessions (session_id, expires_at) values ('x', now())",
        "delete from session_cutoffs",
    ],
)
def test_not_even_an_owner_gives_themselves_roles_plans_usage_or_results(
    database: Sql, boss: Someone, attack: str
) -> None:
    with refused:
        do(database, boss, attack)


def test_a_member_does_not_change_the_organization(database: Sql, boss: Someone, member: Someone) -> None:
    assert do(database, member, "update organizations set name = 'Mine'") == 0
    assert do(database, boss, "update organizations set name = 'Ours'") == 1


def test_a_member_sees_colleagues_and_changes_only_themselves(database: Sql, boss: Someone, member: Someone) -> None:
    stranger = someone(database)
    with database.person(member.user, member.organization) as connection:
        seen = {row[0] for row in connection.execute("select id from users")}
    assert seen == {boss.user, member.user}
    assert stranger.user not in seen
    assert do(database, member, "update users set first_name = 'New'") == 1


def test_a_removed_member_sees_nothing_from_the_next_statement_on(
    database: Sql, boss: Someone, member: Someone
) -> None:
    skill_of(database, boss)
    count = "select count(*) from skills"
    with database.connect("kijko_api", autocommit=False) as connection:
        become(connection, claims_of(member.user), member.organization)
        assert connection.execute(count).fetchone() == (1,)
        database.run(
            "delete from memberships where user_id = %s and organization_id = %s", member.user, boss.organization
        )
        assert connection.execute(count).fetchone() == (0,)


def test_a_run_takes_its_quota_or_is_not_made(database: Sql) -> None:
    user = someone(database)
    skill = skill_of(database, user)
    run = "select kijko.request_execution(gen_random_uuid(), %s, 1, 'manual', null, '{}', null, 'echo', null)"
    for _ in range(10):
        do(database, user, run, skill)
    with pytest.raises(psycopg.Error) as caught:
        do(database, user, run, skill)
    assert caught.value.sqlstate == "KJ429"
    made = "select count(*) from executions where organization_id = %s"
    assert database.one(made, user.organization) == 10


def test_a_run_of_another_organizations_skill_is_refused_and_takes_nothing(database: Sql, boss: Someone) -> None:
    user = someone(database)
    theirs, none = skill_of(database, boss), uuid.uuid4()
    run = "select kijko.request_execution(gen_random_uuid(), %s, 1, 'manual', null, '{}', null, 'echo', null)"
    told = []
    for skill in (theirs, none):
        with pytest.raises(psycopg.errors.ForeignKeyViolation) as caught:
            do(database, user, run, skill)
        told.append(caught.value.diag.constraint_name)
    assert told[0] == told[1] == "executions_skill_fkey"
    taken = "select count(*) from usage_ledger where organization_id = %s and metric = 'oracle_queries'"
    assert database.one(taken, user.organization) == 0


def test_naming_another_organizations_things_tells_nothing_about_them(database: Sql, boss: Someone) -> None:
    """What exists elsewhere and what exists nowhere are refused with the same words."""
    user = someone(database)
    skill, project = skill_of(database, boss), project_of(database, boss, "shared")
    probes = {
        "insert into habits (organization_id, skill_id, user_id, schedule_cron) "
        "values (kijko.current_org(), %s, auth.uid(), '* * * * *')": skill,
        "insert into reflexes (organization_id, skill_id, user_id, trigger_type) "
        "values (kijko.current_org(), %s, auth.uid(), 'event')": skill,
        "insert into skill_versions (organization_id, skill_id, version, prompt_template, model, parameters, "
        "output_format, created_by) values (kijko.current_org(), %s, 1, 'x', 'echo', '{}', 'text', auth.uid())": skill,
        "insert into project_members (organization_id, project_id, email, role) "
        "values (kijko.current_org(), %s, 'x@x.test', 'viewer')": project,
        "insert into project_repositories (organization_id, project_id, provider, repository_url, repository_name) "
        "values (kijko.current_org(), %s, 'github', 'x', 'x')": project,
    }
    for probe, existing in probes.items():
        told = []
        for named in (existing, uuid.uuid4()):
            with pytest.raises(psycopg.Error) as caught:
                do(database, user, probe, named)
            told.append((caught.value.sqlstate, caught.value.diag.message_primary))
        assert told[0] == told[1]


def test_only_its_maker_and_managers_change_a_skill_and_its_versions(
    database: Sql, boss: Someone, member: Someone
) -> None:
    other = colleague(database, boss)
    skill = skill_of(database, member)
    rename = "update skills set description = 'new' where id = %s"
    assert do(database, other, rename, skill) == 0
    with refused, database.person(other.user, other.organization) as connection:
        version(connection, skill, 2)
    for number, allowed in ((2, member), (3, boss)):
        assert do(database, allowed, rename, skill) == 1
        with database.person(allowed.user, allowed.organization) as connection:
            version(connection, skill, number)


def test_a_version_is_the_next_one_or_is_refused(database: Sql, member: Someone) -> None:
    skill = skill_of(database, member)
    grow = "update skills set version = %s where id = %s"
    add = (
        "insert into skill_versions (organization_id, skill_id, version, prompt_template, model, parameters, "
        "output_format, created_by) select kijko.current_org(), %s, n, 'x', 'echo', '{}', 'text', auth.uid() "
        "from unnest(%s::integer[]) n"
    )

    def tried(*statements: tuple[LiteralString, tuple[object, ...]]) -> str | None:
        try:
            with database.person(member.user, member.organization) as connection:
                for statement, values in statements:
                    connection.execute(statement, values)
        except psycopg.Error as error:
            return error.sqlstate
        return None

    for numbers in ([2], [3], [7], [2, 3], [0]):  # the skill says 1
        assert tried((add, (skill, numbers))) in ("KJ409", "23514")
    for number in (0, 3, -1, 2**31 - 1):
        assert tried((grow, (number, skill))) == "KJ409"
    for numbers in ([3], [2, 3], [3, 2]):
        assert tried((grow, (2, skill)), (add, (skill, numbers))) == "KJ409"
    assert tried((grow, (2, skill)), (add, (skill, [2]))) is None
    assert tried((add, (skill, [2]))) == "23505"
    assert tried((grow, (3, skill))) is None
    assert tried((add, (skill, [4]))) == "KJ409"
    assert tried((grow, (4, skill)), (add, (skill, [4]))) is None  # whoever left one out can save all the same
    assert tried((grow, (3, skill))) == "KJ409"
