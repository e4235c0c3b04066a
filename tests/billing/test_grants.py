"""An operator puts a person's organization on a plan, by the person's address."""

import uuid

import pytest

from kijko.services.billing.grants import GrantError, grant_by_email
from tests.postgres import Someone, Sql, someone


def plan_of(database: Sql, who: Someone) -> object:
    return database.one("select kijko.plan_of(%s)", who.organization)


@pytest.mark.parametrize("plan", ["pro", "teams", "enterprise", "free"])
def test_an_operators_word_puts_an_organization_on_a_plan(database: Sql, user: Someone, plan: str) -> None:
    said = grant_by_email(database.url(), user.email, plan, reason="a friend of the house")
    assert said == f"Theirs is on the plan {plan} now."
    assert plan_of(database, user) == plan
    kept = "select plan_id, reason from plan_grants where organization_id = %s and revoked_at is null"
    assert database.run(kept, user.organization) == [(plan, "a friend of the house")]


def test_case_and_spaces_around_the_address_do_not_matter(database: Sql, user: Someone) -> None:
    grant_by_email(database.url(), f"  {user.email.upper()} ", "pro")
    assert plan_of(database, user) == "pro"


def test_a_grant_is_taken_back_by_none(database: Sql, user: Someone) -> None:
    grant_by_email(database.url(), user.email, "pro")
    said = grant_by_email(database.url(), user.email, "none")
    assert said == "Theirs has no grant any more: the plan that is paid for counts."
    assert plan_of(database, user) == "free"


def test_it_is_the_persons_default_organization_that_is_put_on_the_plan(database: Sql, user: Someone) -> None:
    other = someone(database)
    database.run("insert into memberships values (%s, %s, 'owner', '2020-01-01')", other.organization, user.user)
    grant_by_email(database.url(), user.email, "pro")
    assert (plan_of(database, user), plan_of(database, other)) == ("pro", "free")
    database.run("update users set default_organization_id = null where id = %s", user.user)
    grant_by_email(database.url(), user.email, "teams")
    assert (plan_of(database, user), plan_of(database, other)) == ("pro", "teams")


def test_an_unknown_address_is_said(database: Sql) -> None:
    with pytest.raises(GrantError, match=r"signed up as 'who@x\.test'\. Check the address\."):
        grant_by_email(database.url(), "who@x.test", "pro")


def test_an_unknown_plan_is_said_with_those_there_are(database: Sql, user: Someone) -> None:
    with pytest.raises(GrantError, match=r"no plan 'gold'\. The plans are free, pro, teams, enterprise; none takes"):
        grant_by_email(database.url(), user.email, "gold")
    assert plan_of(database, user) == "free"


def test_an_address_of_several_people_is_refused(database: Sql, user: Someone) -> None:
    twin = uuid.uuid4()
    database.run("select kijko.register(%s, %s, 'T', 'W', true, 'The twin''s')", twin, user.email.upper())
    with pytest.raises(GrantError, match="Several people have the address"):
        grant_by_email(database.url(), user.email, "pro")
    assert plan_of(database, user) == "free"


def test_somebody_without_an_organization_is_said(database: Sql, user: Someone) -> None:
    database.run("delete from memberships where user_id = %s", user.user)
    with pytest.raises(GrantError, match="Nobody with an organization"):
        grant_by_email(database.url(), user.email, "pro")


def test_a_database_before_its_migrations_says_what_to_do(blank: Sql) -> None:
    with pytest.raises(GrantError, match="Run `kijko migrate` first"):
        grant_by_email(blank.url(), "x@x.test", "pro")


def test_a_database_that_is_away_is_said(database: Sql) -> None:
    away = f"postgresql://postgres:x@127.0.0.1:9/{database.name}"
    with pytest.raises(GrantError, match="The database does not answer"):
        grant_by_email(away, "x@x.test", "pro")
