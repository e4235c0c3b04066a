"""What a database error means to the person who asked."""

import pytest

from kijko.core.db.errors import AcquireTimeout, DatabaseError, Raised
from kijko.core.errors import AppError, Forbidden, Invalid, Unavailable
from kijko.core.tenancy import OrganizationNotFound, SessionEnded, translate


def raised(sqlstate: str, message: str = "words of the database") -> Raised:
    return Raised(message, sqlstate=sqlstate, detail=None, hint=None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (raised("KJ401"), SessionEnded),
        (raised("KJ404"), OrganizationNotFound),
        (raised("42501"), Forbidden),
        (AcquireTimeout(), Unavailable),
    ],
)
def test_a_person_hears_what_they_can_act_on_and_none_of_the_databases_words(
    error: DatabaseError, kind: type[AppError]
) -> None:
    told = translate(error)
    assert type(told) is kind
    assert "words of the database" not in told.detail
    assert told.detail.endswith(".")


def test_an_invalid_value_is_told_in_the_functions_own_sentence() -> None:
    told = translate(raised("KJ422", "A reservation needs a whole, positive quantity."))
    assert isinstance(told, Invalid)
    assert told.detail == "A reservation needs a whole, positive quantity."


def test_what_is_ours_to_mend_means_nothing_to_them() -> None:
    assert translate(raised("22P02")) is None
