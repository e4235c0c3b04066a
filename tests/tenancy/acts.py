"""What people do in SQL, as themselves."""

import uuid
from typing import Any

import psycopg

from tests.postgres import Someone, Sql


def do(database: Sql, who: Someone, text: Any, *values: object) -> int:
    """How many rows one statement changed, as that person in that organization."""
    with database.person(who.user, who.organization) as connection:
        return connection.execute(text, values or None).rowcount


def skill_of(database: Sql, who: Someone) -> uuid.UUID:
    skill = uuid.uuid4()
    with database.person(who.user, who.organization) as connection:
        connection.execute(
            "insert into skills (id, organization_id, user_id, name, prompt_template, model) "
            "values (%s, kijko.current_org(), auth.uid(), %s, 'x', 'echo')",
            (skill, skill.hex),
        )
        version(connection, skill, 1)
    return skill


def version(connection: psycopg.Connection[Any], skill: uuid.UUID, number: int) -> None:
    if number > 1:
        connection.execute("update skills set version = version + 1 where id = %s", (skill,))
    connection.execute(
        "insert into skill_versions (organization_id, skill_id, version, prompt_template, model, parameters, "
        "output_format, created_by) values (kijko.current_org(), %s, %s, 'x', 'echo', '{}', 'text', auth.uid())",
        (skill, number),
    )


def project_of(database: Sql, who: Someone, privacy: str = "private") -> uuid.UUID:
    project = uuid.uuid4()
    do(
        database,
        who,
        "insert into projects (id, organization_id, user_id, name, type, privacy) "
        "values (%s, kijko.current_org(), auth.uid(), %s, 'manual', %s)",
        project,
        project.hex,
        privacy,
    )
    return project


def join(database: Sql, project: uuid.UUID, who: Someone, role: str) -> None:
    database.run(
        "insert into project_members (organization_id, project_id, user_id, email, role, accepted_at) "
        "values (%s, %s, %s, %s, %s, now())",
        who.organization,
        project,
        who.user,
        who.email,
        role,
    )
