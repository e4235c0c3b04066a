"""Limits are exact: of many callers at once with N left, exactly N pass."""

import random
import uuid
from collections.abc import Callable
from functools import partial

import psycopg
import pytest

from tests.postgres import Someone, Sql
from tests.usage.engine import METRICS, allow, at_once, grant, ledger, release, reserve, seatless, settle, used

CALLERS, LEFT = 40, 7


@pytest.fixture(scope="module")
def limited(copy: Callable[[str], Sql]) -> Sql:
    """A database in which the free plan allows LEFT of everything, and pro twice that."""
    database = copy("migrated")
    for metric in METRICS:
        allow(database, "free", metric, LEFT)
        allow(database, "pro", metric, 2 * LEFT)
    return database


@pytest.mark.parametrize("metric", METRICS)
def test_of_forty_callers_at_once_exactly_as_many_pass_as_are_left(limited: Sql, metric: str) -> None:
    user = seatless(limited)
    passed = at_once([partial(reserve, limited, user, metric)] * CALLERS)
    assert sorted(map(str, passed)) == ["False"] * (CALLERS - LEFT) + ["True"] * LEFT
    assert used(limited, user, metric) == ledger(limited, user, metric) == LEFT


def test_two_organizations_at_once_do_not_take_from_each_other(limited: Sql) -> None:
    users = [seatless(limited), seatless(limited)]
    at_once([partial(reserve, limited, users[at % 2], "oracle_queries") for at in range(CALLERS)])
    assert [used(limited, user, "oracle_queries") for user in users] == [LEFT, LEFT]


def test_quantities_at_once_never_go_over_the_limit_and_leave_less_than_the_smallest_refused(limited: Sql) -> None:
    user = seatless(limited)
    sizes = [2, 3] * 10
    passed = at_once([partial(reserve, limited, user, "storage", size) for size in sizes])
    taken = sum(size for size, ok in zip(sizes, passed, strict=True) if ok is True)
    assert taken == used(limited, user, "storage") == ledger(limited, user, "storage")
    assert LEFT - 2 < taken <= LEFT


def test_the_same_subject_at_once_is_reserved_once(limited: Sql) -> None:
    user, subject = seatless(limited), uuid.uuid4()
    done = at_once([partial(reserve, limited, user, "ingestions", 1, subject)] * 8)
    assert done.count(True) == 1
    assert all(isinstance(one, psycopg.errors.UniqueViolation) for one in done if one is not True)
    assert used(limited, user, "ingestions") == ledger(limited, user, "ingestions") == 1


@pytest.mark.parametrize("plan", ["free", "enterprise"])
def test_a_subject_released_many_times_at_once_comes_back_once(limited: Sql, plan: str) -> None:
    user, subject = seatless(limited, plan=plan), uuid.uuid4()
    reserve(limited, user, "seats", 1, subject)
    reserve(limited, user, "seats")
    assert sorted(at_once([partial(release, limited, "seats", subject)] * 8)) == [0] * 7 + [1]
    assert used(limited, user, "seats") == ledger(limited, user, "seats") == 1


@pytest.mark.parametrize("plan", ["free", "enterprise"])
def test_released_and_settled_at_once_a_subject_stands_for_one_of_the_two(limited: Sql, plan: str) -> None:
    for _ in range(5):
        user, subject = seatless(limited, plan=plan), uuid.uuid4()
        reserve(limited, user, "storage", 2, subject)
        given_back, settled = at_once(
            [partial(release, limited, "storage", subject), partial(settle, limited, user, "storage", subject, 5)]
        )
        assert (given_back, settled) in ((1, True), (1, False))
        assert used(limited, user, "storage") == ledger(limited, user, "storage") == 0


def test_a_plan_that_becomes_limited_meanwhile_counts_what_was_used_before(limited: Sql) -> None:
    user = seatless(limited, plan="enterprise")
    for _ in range(3):
        reserve(limited, user, "oracle_queries")
    outcome = at_once(
        [partial(reserve, limited, user, "oracle_queries")] * 30 + [partial(grant, limited, user, "free")]
    )
    passed = outcome[:-1].count(True)
    assert used(limited, user, "oracle_queries") == ledger(limited, user, "oracle_queries") == 3 + passed
    assert not reserve(limited, user, "oracle_queries") or 3 + passed < LEFT


def test_a_plan_that_is_raised_and_lowered_meanwhile_stays_exact(limited: Sql) -> None:
    user = seatless(limited)
    plans = ["pro", "enterprise", "free", "pro", None, "pro"]
    outcome = at_once(
        [partial(reserve, limited, user, "api_calls")] * 40 + [partial(grant, limited, user, plan) for plan in plans]
    )
    assert not [one for one in outcome if isinstance(one, BaseException)]
    passed = outcome[:40].count(True)
    assert used(limited, user, "api_calls") == ledger(limited, user, "api_calls") == passed
    grant(limited, user, "pro")
    more = at_once([partial(reserve, limited, user, "api_calls")] * CALLERS).count(True)
    assert more == max(0, 2 * LEFT - passed)


def test_a_mixed_load_ends_without_a_deadlock_and_with_exact_counters(limited: Sql) -> None:
    chance = random.Random(11)
    users: list[Someone] = [seatless(limited, plan=plan) for plan in ("free", "pro", "enterprise")]
    subjects = [(chance.choice(users), chance.choice(METRICS), uuid.uuid4()) for _ in range(120)]

    def work(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(30):
            user, metric, subject = dice.choice(subjects)
            match dice.randrange(8):
                case 0:
                    many = [one for _, other, one in dice.sample(subjects, 40) if other == metric]
                    release(limited, metric, *many)
                case 1:
                    settle(limited, user, metric, subject, dice.randrange(3))
                case 2:
                    grant(limited, user, dice.choice(["free", "pro", "enterprise"]))
                case _:
                    try:
                        reserve(limited, user, metric, 1, subject)
                    except psycopg.errors.UniqueViolation:
                        continue

    assert [one for one in at_once([partial(work, seed) for seed in range(10)]) if one] == []
    for user in users:
        for metric in METRICS:
            assert used(limited, user, metric) == ledger(limited, user, metric), metric
            kept = limited.run(
                "select used from usage_counters where organization_id = %s and metric = %s", user.organization, metric
            )
            assert kept in ([], [(ledger(limited, user, metric),)])
