"""Who may what in a project, in SQL."""

import uuid

import psycopg
import pytest

from tests.postgres import Someone, Sql, colleague, someone
from tests.tenancy.acts import do, join, project_of

refused = pytest.raises(psycopg.errors.InsufficientPrivilege)


ROLES = ("admin", "manager", "developer", "viewer", "auditor", None)
INVITE = (
    "insert into project_members (organization_id, project_id, email, role) "
    "values (kijko.current_org(), %s, gen_random_uuid()::text, %s)"
)


def tried(database: Sql, who: Someone, text: str, *values: object) -> bool:
    try:
        return do(database, who, text, *values) > 0
    except psycopg.errors.InsufficientPrivilege:
        return False


STATEMENTS: dict[str, tuple[str, ...]] = {
    "read": ("select 1 from projects where id = %s",),
    "change": ("update projects set description = 'new' where id = %s",),
    "add a source": (
        "insert into project_repositories "
        "(organization_id, project_id, user_id, provider, repository_url, repository_name) "
        "values (kijko.current_org(), %s, auth.uid(), 'github', gen_random_uuid()::text, 'x')",
    ),
    "invite a viewer": (INVITE, "viewer"),
    "name an admin": (INVITE, "admin"),
    "demote an admin": ("update project_members set role = 'viewer' where project_id = %s and email = 'admin'",),
    "promote themselves": ("update project_members set role = 'admin' where project_id = %s and user_id = auth.uid()",),
    "delete": ("delete from projects where id = %s",),
}


@pytest.mark.parametrize(
    ("what", "may"),
    [
        ("read", {"admin", "manager", "developer", "viewer", "auditor"}),
        ("change", {"admin", "manager"}),
        ("add a source", {"admin", "manager", "developer"}),
        ("invite a viewer", {"admin", "manager"}),
        ("name an admin", {"admin"}),
        ("demote an admin", {"admin"}),
        ("promote themselves", {"admin"}),
        ("delete", {"admin"}),
    ],
)
def test_a_projects_roles_decide_who_may_what(database: Sql, boss: Someone, what: str, may: set[str]) -> None:
    for role in ROLES:
        project, who = project_of(database, boss), colleague(database, boss)
        if role:
            join(database, project, who, role)
        join(database, project, Someone(uuid.uuid4(), boss.organization, "admin"), "admin")
        text, *values = STATEMENTS[what]
        assert tried(database, who, text, project, *values) == (role in may), role


@pytest.mark.parametrize("what", ["read", "change", "add a source", "name an admin", "delete"])
def test_the_organizations_managers_may_all_in_a_project_that_is_not_theirs(
    database: Sql, boss: Someone, member: Someone, what: str
) -> None:
    text, *values = STATEMENTS[what]
    assert tried(database, boss, text, project_of(database, member), *values)


def test_nobody_of_another_organization_is_made_a_member_of_a_project(database: Sql, boss: Someone) -> None:
    project, stranger, friend = project_of(database, boss), someone(database), colleague(database, boss)
    add = (
        "insert into project_members (organization_id, project_id, user_id, email, role) "
        "values (kijko.current_org(), %s, %s, gen_random_uuid()::text, 'viewer')"
    )
    with refused:
        do(database, boss, add, project, stranger.user)
    assert do(database, boss, add, project, friend.user) == 1


def test_an_invitation_that_was_not_accepted_opens_nothing(database: Sql, boss: Someone, member: Someone) -> None:
    project = project_of(database, boss)
    join(database, project, member, "admin")
    database.run("update project_members set accepted_at = null where project_id = %s", project)
    assert not tried(database, member, "select 1 from projects where id = %s", project)
    assert not tried(database, member, "update projects set description = 'x' where id = %s", project)
