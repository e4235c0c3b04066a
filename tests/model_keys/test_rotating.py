"""A new master key: `kijko rotate-master` moves what lies under an older one; until then both work."""

import os
import subprocess
import sys
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from secrets import token_bytes

import pytest

from kijko.core.envelope import Masters, Sealed, UnknownMaster
from kijko.local.doctor import Wrong, _model_keys
from kijko.services.model_keys import RotationError, rotate_master
from kijko.services.model_keys.rules import bound
from kijko.settings import Database, Keys, Settings
from tests.postgres import Sql, someone


def fresh() -> str:
    return urlsafe_b64encode(token_bytes(32)).decode()


@pytest.fixture
def place(copy: Callable[[str], Sql]) -> Sql:
    """A database of one's own: the command looks at all of it."""
    return copy("migrated")


def keep(database: Sql, masters: Masters, many: int) -> dict[uuid.UUID, bytes]:
    """So many organizations with a key each; the keys."""
    made = {}
    for number in range(many):
        organization, secret = someone(database).organization, f"secret {number}".encode()
        sealed = masters.seal(secret, bound(organization, "openai"))
        database.run(
            "insert into model_keys (organization_id, provider, version, master_id, wrapped_key, sealed_key, hint) "
            "values (%s, 'openai', gen_random_uuid(), %s, %s, %s, 'x')",
            organization,
            sealed.master_id,
            sealed.wrapped,
            sealed.content,
        )
        made[organization] = secret
    return made


def opened(database: Sql, masters: Masters) -> dict[uuid.UUID, bytes]:
    rows = database.run("select organization_id, master_id, wrapped_key, sealed_key from model_keys")
    return {row[0]: masters.open(Sealed(*row[1:]), bound(row[0], "openai")) for row in rows}


def doctor(database: Sql, keys: str) -> str:
    return _model_keys(Settings(database=Database(url=database.url()), keys=Keys(master=keys)))


def test_every_key_is_moved_in_batches_and_opens_under_the_new_master_alone(place: Sql) -> None:
    old, new = fresh(), fresh()
    kept = keep(place, Masters(old), 205) | keep(place, Masters(new), 2)
    both = f"{new},{old}"
    assert opened(place, Masters(both)) == kept
    assert doctor(place, both) == "207 kept, 205 under an older master: `kijko rotate-master`"
    with pytest.raises(UnknownMaster):
        opened(place, Masters(new))
    with pytest.raises(Wrong, match=f"205 model keys cannot be read.*{Masters(old).current}.*KIJKO_KEYS_MASTER"):
        doctor(place, new)
    said = rotate_master(place.url(), both)
    assert said == (
        f"Moved 205 model keys under the master {Masters(new).current}; 2 lay there already. "
        "Older masters are needed no more."
    )
    assert opened(place, Masters(new)) == kept
    assert doctor(place, new) == "207 kept"
    assert rotate_master(place.url(), both).startswith("Moved 0 model keys")


def test_what_cannot_be_moved_is_said_and_the_rest_is_moved(place: Sql) -> None:
    lost, old, new = fresh(), fresh(), fresh()
    keep(place, Masters(lost), 3)
    kept = keep(place, Masters(old), 2)
    tampered = next(iter(keep(place, Masters(old), 1)))
    place.run("update model_keys set wrapped_key = sealed_key where organization_id = %s", tampered)
    with pytest.raises(RotationError) as caught:
        rotate_master(place.url(), f"{new},{old}")
    said = str(caught.value)
    assert said.startswith("Moved 2 model keys")
    assert f"3 model keys left: The master key {Masters(lost).current}" in said
    assert "1 model key left: This was changed" in said
    moved = "select organization_id from model_keys where master_id = %s"
    assert {row[0] for row in place.run(moved, Masters(new).current)} == set(kept)


def test_it_goes_on_where_it_was_ended(place: Sql) -> None:
    old, new = fresh(), fresh()
    kept = keep(place, Masters(old), 150)
    last = max(kept)
    with place.connect(autocommit=False) as other:  # a batch that cannot be had ends the command in the middle
        other.execute("select 1 from model_keys where organization_id = %s for update", (last,))
        with pytest.raises(RotationError, match="does not answer"):
            rotate_master(place.url() + "?options=-c%20lock_timeout%3D200", f"{new},{old}")
        done = "select count(*) from model_keys where master_id = %s"
        assert place.one(done, Masters(new).current) == 100
        other.rollback()
    assert rotate_master(place.url(), f"{new},{old}").startswith("Moved 50 model keys")
    assert opened(place, Masters(new)) == kept


def test_an_operator_does_it_by_the_command(place: Sql, tmp_path: Path) -> None:
    old, new = fresh(), fresh()
    kept = keep(place, Masters(old), 2)

    def command(keys: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KIJKO_")}
        named = {"KIJKO_HOME": str(tmp_path), "KIJKO_DATABASE_URL": place.url(), "KIJKO_KEYS_MASTER": keys}
        arguments = [sys.executable, "-m", "kijko.cli", "rotate-master"]
        return subprocess.run(arguments, env=clean | named, capture_output=True, text=True, check=False)

    refused = command(new)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("kijko: Moved 0 model keys")
    assert "is not in KIJKO_KEYS_MASTER" in refused.stderr
    done = command(f"{new},{old}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Moved 2 model keys")
    assert opened(place, Masters(new)) == kept
    wrong = command("hush")
    assert wrong.returncode == 2
    assert "hush" not in wrong.stderr
    assert not [key for key in (old, new) if key in refused.stderr + done.stdout]


def test_the_database_must_answer(place: Sql) -> None:
    with pytest.raises(RotationError, match="does not answer"):
        rotate_master("postgresql://nobody@127.0.0.1:1/none", fresh())
