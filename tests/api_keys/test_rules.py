"""What a key looks like."""

import re
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from kijko.core.errors import Invalid
from kijko.services.api_keys import rules
from kijko.services.api_keys.errors import MistypedKey

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_a_key_is_known_by_its_beginning_and_by_its_checksum() -> None:
    made = rules.make()
    assert re.fullmatch(r"kjk_[0-9A-Za-z]{57}", made.text)
    assert made.prefix == made.text[:12]
    number = 0
    for digit in made.text[-6:]:
        number = number * 62 + DIGITS.index(digit)
    assert number == zlib.crc32(made.text[:-6].encode())
    assert rules.read(made.text) == made


def test_no_two_keys_are_alike_and_none_shows_itself() -> None:
    made = [rules.make() for _ in range(100)]
    assert len({one.text for one in made}) == len({one.prefix for one in made}) == 100
    assert made[0].text not in repr(made[0])


@pytest.mark.parametrize("slip", ["replaced", "swapped", "cut", "more", "capital", "letters", "empty"])
def test_a_typing_error_is_known_without_the_database(slip: str) -> None:
    text = "kjk_abcdefgh" + "0" * 40 + "abc"
    text += rules._checksum(text)  # the only way to a key that is known beforehand
    assert rules.read(text)
    wrong = {
        "replaced": text[:20] + "7" + text[21:],
        "swapped": text[:6] + text[7] + text[6] + text[8:],
        "cut": text[:-1],
        "more": text + "0",
        "capital": text.replace("abcdefgh", "Abcdefgh"),
        "letters": text[:-1] + "\u0663",
        "empty": "kjk_",
    }[slip]
    with pytest.raises(MistypedKey):
        rules.read(wrong)


def test_a_key_ends_ahead_and_within_five_years() -> None:
    now = datetime.now(UTC)
    assert rules.end_of(None) is None
    assert rules.end_of(now + timedelta(days=365)) == now + timedelta(days=365)
    for wrong in (now - timedelta(seconds=1), now + timedelta(days=6 * 365)):
        with pytest.raises(Invalid) as caught:
            rules.end_of(wrong)
        assert caught.value.field == "expiresAt"
