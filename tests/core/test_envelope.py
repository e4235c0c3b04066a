"""Envelope encryption: a secret opens under its master, where it belongs, and nowhere else."""

from base64 import urlsafe_b64encode
from dataclasses import replace
from secrets import token_bytes

import pytest

from kijko.core.envelope import Masters, Sealed, Tampered, UnknownMaster


def fresh() -> str:
    return urlsafe_b64encode(token_bytes(32)).decode()


def test_what_was_sealed_opens_and_is_not_to_be_seen() -> None:
    masters = Masters(fresh())
    sealed = masters.seal(b"a secret", b"a")
    assert masters.open(sealed, b"a") == b"a secret"
    assert b"a secret" not in sealed.content + sealed.wrapped
    assert sealed.master_id == masters.current
    again = masters.seal(b"a secret", b"a")
    assert (again.content, again.wrapped) != (sealed.content, sealed.wrapped)
    assert str(sealed.content) not in repr(sealed)


def test_it_opens_only_where_it_belongs_and_as_it_was() -> None:
    masters = Masters(fresh())
    a, b = masters.seal(b"a secret", b"a"), masters.seal(b"another", b"b")
    changed = bytes([a.content[-1] ^ 1])
    wrong: list[tuple[Sealed, bytes]] = [
        (a, b"b"),
        (replace(a, content=b.content), b"a"),
        (replace(a, wrapped=b.wrapped), b"a"),
        (replace(a, content=a.content[:-1] + changed), b"a"),
        (replace(a, content=b""), b"a"),
        (replace(a, wrapped=a.content), b"a"),
    ]
    for sealed, bound in wrong:
        with pytest.raises(Tampered):
            masters.open(sealed, bound)


def test_old_and_new_masters_work_side_by_side() -> None:
    old, new = fresh(), fresh()
    sealed = Masters(old).seal(b"a secret", b"a")
    both = Masters(f"{new}, {old}")
    assert both.open(sealed, b"a") == b"a secret"
    moved = both.rewrap(sealed, b"a")
    assert (moved.master_id, moved.content) == (both.current, sealed.content)
    assert Masters(new).open(moved, b"a") == b"a secret"
    with pytest.raises(UnknownMaster, match=sealed.master_id):
        Masters(new).open(sealed, b"a")
    with pytest.raises(UnknownMaster):
        Masters(old).open(moved, b"a")
    with pytest.raises(Tampered):
        both.rewrap(sealed, b"b")


def test_a_masters_id_tells_nothing_of_it_and_is_always_the_same() -> None:
    key = fresh()
    assert Masters(key).current == Masters(key).current != Masters(fresh()).current
    assert len(Masters(key).current) == 16
