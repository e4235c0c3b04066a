"""The wall in the database, as the catalogue says it stands: no table without it, no function around it."""

import re
from typing import Any

import psycopg

Owner = psycopg.Connection[Any]


def names(owner: Owner, query: str) -> list[str]:
    """The first column of a query that should find nothing."""
    return [row[0] for row in owner.execute(query)]  # type: ignore[arg-type]  # a literal of this file


def test_there_is_something_to_guard(owner: Owner) -> None:
    assert len(names(owner, "select tablename from pg_tables where schemaname = 'public'")) > 8


def test_every_table_has_row_level_security_enabled_and_forced(owner: Owner) -> None:
    assert (
        names(
            owner,
            """
        select c.relname from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
          and not (c.relrowsecurity and c.relforcerowsecurity)
        """,
        )
        == []
    )


def test_every_table_of_an_organization_that_people_may_read_has_a_policy_for_it(owner: Owner) -> None:
    assert (
        names(
            owner,
            """
        select c.relname from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
          and has_table_privilege('authenticated', c.oid, 'select')
          and not exists (
            select from pg_policy p
            where p.polrelid = c.oid and pg_get_expr(p.polqual, p.polrelid) like '%current_org%'
          )
        """,
        )
        == []
    )


def test_policies_ask_once_a_statement_and_not_once_a_row(owner: Owner) -> None:
    found = owner.execute(
        "select tablename || '.' || policyname, concat_ws(' ', qual, with_check) from pg_policies "
        "where schemaname = 'public'"
    ).fetchall()
    assert found
    for name, expression in found:
        asked_each_row = re.findall(r"(?<!SELECT )\b(?:kijko|auth)\.\w+\(", expression)
        assert not asked_each_row, f"{name}: write (select {asked_each_row[0]}…))"


def test_every_policy_column_that_is_compared_has_an_index(owner: Owner) -> None:
    assert (
        names(
            owner,
            """
        select c.relname from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
          and not exists (select from pg_index i where i.indrelid = c.oid and i.indkey[0] = a.attnum)
        """,
        )
        == []
    )


def test_every_foreign_key_has_an_index(owner: Owner) -> None:
    assert (
        names(
            owner,
            """
        select con.conname from pg_constraint con
        where con.contype = 'f' and con.connamespace = 'public'::regnamespace
          and not exists (
            select from pg_index i
            where i.indrelid = con.conrelid and i.indpred is null
              and (i.indkey::smallint[])[0:cardinality(con.conkey) - 1] @> con.conkey
          )
        """,
        )
        == []
    )


def test_a_security_definer_function_has_an_empty_search_path(owner: Owner) -> None:
    assert (
        names(
            owner,
            """
        select p.oid::regprocedure::text from pg_proc p
        where p.prosecdef and p.pronamespace in ('public'::regnamespace, 'kijko'::regnamespace)
          and not coalesce('search_path=""' = any (p.proconfig), false)
        """,
        )
        == []
    )


def test_no_function_of_ours_is_everybodys_to_call(owner: Owner) -> None:
    assert (
        names(
            owner,
            """
        select p.oid::regprocedure::text from pg_proc p
        left join pg_depend d on d.objid = p.oid and d.deptype = 'e'
        where p.pronamespace in ('public'::regnamespace, 'kijko'::regnamespace) and d.objid is null
          and p.prorettype <> 'trigger'::regtype
          and (
            has_function_privilege('anon', p.oid, 'execute')
            or exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0)
          )
        """,
        )
        == []
    )


def test_somebody_without_a_token_may_touch_no_table(owner: Owner) -> None:
    assert (
        names(
            owner,
            """
        select c.relname from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
          and has_table_privilege('anon', c.oid, 'select, insert, update, delete, truncate')
        """,
        )
        == []
    )


def test_no_view_goes_around_the_wall(owner: Owner) -> None:
    assert (
        names(
            owner,
            """
        select c.relname from pg_class c
        where c.relnamespace in ('public'::regnamespace, 'kijko'::regnamespace) and c.relkind in ('v', 'm')
          and has_table_privilege('authenticated', c.oid, 'select')
          and not coalesce('security_invoker=true' = any (c.reloptions), false)
        """,
        )
        == []
    )


def test_the_apis_login_owns_nothing_bypasses_nothing_and_cannot_become_who_does(owner: Owner) -> None:
    row = owner.execute(
        """
        select r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication,
          exists (select from pg_class c where c.relowner = r.oid),
          pg_has_role(r.oid, 'service_role', 'member'),
          pg_has_role(r.oid, 'authenticated', 'member')
        from pg_roles r where r.rolname = 'kijko_api'
        """
    ).fetchone()
    assert row == (False, False, False, True)


def test_what_people_become_bypasses_nothing(owner: Owner) -> None:
    assert (
        names(
            owner,
            "select rolname from pg_roles where rolname in ('authenticated', 'anon') and (rolsuper or rolbypassrls)",
        )
        == []
    )
