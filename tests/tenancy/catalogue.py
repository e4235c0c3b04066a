"""What the database itself says it has, so that a new table or function is under test without being named."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from tests.postgres import Someone, Sql

_VALUES: dict[str, Any] = {
    "text": "x",
    "bool": True,
    "int2": 1,
    "int4": 1,
    "int8": 1,
    "numeric": 1,
    "timestamptz": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "_timestamptz": ["2026-01-01T00:00:00Z"],
    "jsonb": "{}",
    "_jsonb": ["{}"],
    "bytea": b"x",
    "_text": ["x"],
    "float4": 1,
    "_int4": [1],
    "_int8": [1],
    "_float4": [1],
    "_uuid": [uuid.UUID(int=1)],
    "_bytea": [b"x"],
    "vector": "[1,2,3]",
    "float8": 1,
    "interval": "1 day",
    "ingestions": None,  # a whole row
    "executions": None,
}
_REAL = frozenset({"users", "organizations", "memberships", "plans"})
PEOPLE = frozenset({"user_id", "created_by", "person", "subject"})


@dataclass(frozen=True)
class Table:
    """One of ours, with its columns' types; identity and generated columns are left out."""

    name: str
    columns: dict[str, str] = field(hash=False)

    @property
    def tenant(self) -> str | None:
        """The column that says whose a row is."""
        if self.name in ("organizations", "users"):
            return "id"
        return next((c for c in ("organization_id", "user_id") if c in self.columns), None)

    def whose(self, of: Someone) -> uuid.UUID:
        """What stands in that column of somebody's rows."""
        return of.user if self.tenant == "user_id" or self.name == "users" else of.organization


def tables(database: Sql) -> list[Table]:
    rows = database.run(
        """
        select c.relname, json_object_agg(a.attname, t.typname order by a.attnum)
        from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        join pg_type t on t.oid = a.atttypid
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
          and a.attidentity = '' and a.attgenerated = ''
        group by c.relname order by c.relname
        """
    )
    return [Table(name, columns) for name, columns in rows]


def value(column: str, type_name: str, of: Someone) -> Any:
    """A value for a column or a parameter that names somebody's own things wherever it can name anything."""
    if type_name == "uuid":
        if column in ("organization_id", "organization", "wanted"):
            return of.organization
        return of.user if column in PEOPLE else thing(of)
    if column == "metric":
        return "oracle_queries"
    return _VALUES[type_name]


def thing(of: Someone) -> uuid.UUID:
    """The id of everything that is not a person or an organization."""
    return uuid.uuid5(of.organization, "thing")


def strip(database: Sql, *, indexes: bool = True) -> None:
    """Leave nothing but roles, grants and policies between anybody and a row: no constraint, no trigger.

    Unique indexes go too, unless the plans of statements are to be what they are.
    """
    with database.connect("supabase_admin") as admin:
        for table, name in database.run(
            "select conrelid::regclass::text, conname from pg_constraint "
            "where connamespace = 'public'::regnamespace and contype in ('f', 'c') and conrelid <> 0"
        ):
            admin.execute(sql.SQL("alter table {} drop constraint {}").format(_table(table), sql.Identifier(name)))
        unique = database.run(
            "select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid "
            "left join pg_constraint k on k.conindid = i.indexrelid "
            "where c.relnamespace = 'public'::regnamespace and i.indisunique and k.oid is null"
        )
        for (name,) in unique if indexes else ():
            admin.execute(sql.SQL("drop index {}").format(_table(name)))
        for table in tables(database):
            admin.execute(sql.SQL("alter table {} disable trigger all").format(_table(table.name)))


def _table(name: str) -> sql.Composable:
    return sql.Identifier("public", name.removeprefix("public.").strip('"'))


def fill(database: Sql, of: Someone, rows: int = 1) -> None:
    """In every table (but of people and organizations), rows that are that person's and that organization's."""
    with database.connect("supabase_admin", autocommit=False) as admin:
        for table in tables(database):
            if table.name in _REAL:
                continue
            names = sql.SQL(", ").join(map(sql.Identifier, table.columns))
            marks = sql.SQL(", ").join([sql.Placeholder()] * len(table.columns))
            insert = sql.SQL("insert into {} ({}) values ({}) on conflict do nothing").format(
                sql.Identifier("public", table.name), names, marks
            )
            for at in range(rows):
                admin.execute(insert, [_row_value(c, t, of, at) for c, t in table.columns.items()])


def _row_value(column: str, type_name: str, of: Someone, at: int) -> Any:
    found = value(column, type_name, of)
    if at == 0:
        return found
    if type_name == "uuid" and found == thing(of):
        return uuid.uuid5(found, str(at))
    return f"x{at}" if type_name == "text" else found


def multiply(database: Sql, people: list[Someone]) -> None:
    """In every table of tenants give each of these people as many rows as the first of them has."""
    first, *others = people
    with database.connect("supabase_admin", autocommit=False) as admin:
        for table in tables(database):
            if not table.tenant or table.name in _REAL:
                continue
            admin.execute(
                sql.SQL(
                    "insert into {0} ({1}) select {2} from {0} "
                    "cross join unnest(%s::uuid[], %s::uuid[]) others (one, person) "
                    "where {3} = %s on conflict do nothing"
                ).format(
                    sql.Identifier("public", table.name),
                    sql.SQL(", ").join(map(sql.Identifier, table.columns)),
                    sql.SQL(", ").join(_theirs(c, kind, first) for c, kind in table.columns.items()),
                    sql.Identifier(table.tenant),
                ),
                ([o.organization for o in others], [o.user for o in others], table.whose(first)),
            )
        admin.execute("analyze")


def _theirs(column: str, kind: str, first: Someone) -> sql.Composable:
    name = sql.Identifier(column)
    if kind == "uuid":
        return sql.SQL("case {0} when {1} then one when {2} then person else gen_random_uuid() end").format(
            name, sql.Literal(first.organization), sql.Literal(first.user)
        )
    return sql.SQL("{} || person").format(name) if kind == "text" else name


def fingerprint(database: Sql, of: Someone | None = None) -> dict[str, str]:
    """A digest of each table's rows with their versions: those of one organization and person, or all of them."""
    found = {}
    for table in tables(database):
        mine, values = sql.SQL("true"), []
        if of is not None and table.tenant:
            mine, values = sql.SQL("{} = %s").format(sql.Identifier(table.tenant)), [table.whose(of)]
        query = sql.SQL(
            "select coalesce(md5(string_agg(t.xmin::text || t::text, '|' order by t::text)), '') from {} t where {}"
        ).format(sql.Identifier("public", table.name), mine)
        found[table.name] = database.one(query, *values, login="supabase_admin")
    return found


def rows_of(database: Sql, table: Table, of: Someone) -> int:
    """How many rows of a table are somebody's."""
    if not table.tenant:
        return 0
    query = sql.SQL("select count(*) from {} where {} = %s").format(
        sql.Identifier("public", table.name), sql.Identifier(table.tenant)
    )
    count: int = database.one(query, table.whose(of), login="supabase_admin")
    return count


@dataclass(frozen=True)
class Function:
    signature: str
    schema: str
    name: str
    parameters: list[tuple[str, str]]


def functions(database: Sql) -> list[Function]:
    """Ours: in kijko and public, without those of extensions and triggers."""
    rows = database.run(
        """
        select p.oid::regprocedure::text, n.nspname, p.proname,
          coalesce((
            select json_agg(json_build_array(coalesce(p.proargnames[a.at], ''), t.typname) order by a.at)
            from unnest(p.proargtypes::oid[]) with ordinality a (type, at) join pg_type t on t.oid = a.type
          ), '[]')
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname in ('kijko', 'public') and p.prorettype <> 'trigger'::regtype
          and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
        order by 1
        """
    )
    return [Function(s, n, f, [(c, t) for c, t in p]) for s, n, f, p in rows]


def call(connection: psycopg.Connection[Any], function: Function, of: Someone) -> list[Any]:
    """Its rows, when it is called with everything that is somebody's."""
    marks = sql.SQL(", ").join(
        sql.SQL("%s::") + sql.SQL(kind.removeprefix("_") + ("[]" if kind.startswith("_") else ""))  # type: ignore[arg-type]  # a type's name, from the catalogue
        for _, kind in function.parameters
    )
    query = sql.SQL("select * from {}({})").format(sql.Identifier(function.schema, function.name), marks)
    values = [
        [value("", "uuid", of)] if kind == "_uuid" else value(name, kind, of) for name, kind in function.parameters
    ]
    return connection.execute(query, values).fetchall()


def dumps(rows: list[Any]) -> str:
    return json.dumps(rows, default=str)
