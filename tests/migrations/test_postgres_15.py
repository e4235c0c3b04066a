"""The files also apply on Postgres 15, the oldest that Supabase runs, and the wall stands there too."""

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import kijko.local
from kijko.core.migrations import migrate
from tests.postgres import MIGRATIONS, become, claims_of

# Where Debian and Ubuntu put it.
BIN = Path("/usr/lib/postgresql/15/bin")
pytestmark = pytest.mark.skipif(
    not BIN.is_dir(), reason=f"there is no Postgres 15 in {BIN}: install the package postgresql-15"
)


def _run(*argv: object, folder: Path) -> None:
    # Postgres refuses to run as root.
    user = "nobody" if os.getuid() == 0 else None
    subprocess.run(list(map(str, argv)), check=True, capture_output=True, cwd=folder, user=user)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The superuser's URL of a server of the module's own, without the database."""
    folder = Path(tempfile.mkdtemp(prefix="kijko-15-"))
    if os.getuid() == 0:
        shutil.chown(folder, "nobody")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, options = folder / "data", f"-h 127.0.0.1 -p {port} -k '' -c fsync=off"
    _run(BIN / "initdb", "-D", data, "-U", "supabase_admin", "-A", "trust", "-E", "UTF8", "--no-sync", folder=folder)
    _run(BIN / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start", folder=folder)
    try:
        yield f"postgresql://{{}}@127.0.0.1:{port}/"
    finally:
        _run(BIN / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop", folder=folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def migrated(url: str) -> str:
    """A database there, as a Supabase project has it, with every file applied by an owner who is no superuser."""
    scripts = Path(kijko.local.__file__).parent
    admin = url.format("supabase_admin")
    with psycopg.connect(admin + "postgres", autocommit=True) as connection:
        connection.execute((scripts / "postgres_bootstrap.sql").read_bytes())
        connection.execute("create database kijko owner postgres")
    with psycopg.connect(admin + "kijko", autocommit=True) as connection:
        text = (scripts / "postgres_database.sql").read_text()
        # No file of ours uses the extension yet, and Debian ships it in a package of its own.
        connection.execute(text.replace("create extension if not exists vector with schema extensions;", "").encode())
    assert len(migrate(url.format("postgres") + "kijko", MIGRATIONS)) == len(list(MIGRATIONS.glob("*.sql")))
    with psycopg.connect(admin + "kijko", autocommit=True) as connection:
        for login in ("kijko_api", "kijko_worker"):
            connection.execute(f"alter role {login} login")
    return url


def connect(url: str, login: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url.format(login) + "kijko")


def test_every_file_applies_and_then_there_is_nothing_to_do(migrated: str) -> None:
    with connect(migrated, "postgres") as owner:
        version = owner.execute("select current_setting('server_version_num')::int / 10000").fetchone()
    assert version == (15,)
    assert migrate(migrated.format("postgres") + "kijko", MIGRATIONS) == []


def test_people_see_their_own_organization_there_and_their_quota_is_counted(migrated: str) -> None:
    people = [(uuid.uuid4(), uuid.uuid4()) for _ in range(2)]
    with connect(migrated, "postgres") as owner:
        for user, organization in people:
            register = "select kijko.register(%s, %s, 'Some', 'One', true, 'Theirs', %s)"
            owner.execute(register, (user, f"{user.hex}@people.test", organization))
    (user, organization), (_, others) = people
    for asked, seen in ((organization, [(organization,)]), (others, [])):
        with connect(migrated, "kijko_api") as connection:
            become(connection, claims_of(user), asked)
            assert connection.execute("select id from organizations").fetchall() == seen
    with connect(migrated, "supabase_admin") as connection:
        connection.execute("set role service_role")
        # The free plan's only seat is their own.
        take = "select kijko.reserve_for(%s, 'seats', 1, gen_random_uuid(), %s)"
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(take, (organization, user))
    assert caught.value.sqlstate == "KJ429"


def test_the_api_becomes_nobody_but_a_person_there(migrated: str) -> None:
    for attack in ("set role service_role", "create temporary table x (a int)", "select * from public.users"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connect(migrated, "kijko_api") as connection:
            connection.execute(attack)  # type: ignore[arg-type]  # of the three above
