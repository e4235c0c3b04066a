"""Words of code, and what a question asks for."""

from dataclasses import dataclass

import pytest

from kijko.services.search.analysis import analyse
from kijko.services.search.asking import MOST_TERMS, asked
from kijko.services.search.packing import pack, unpack
from kijko.services.search.stems import stem
from kijko.services.search.terms import expanded, parts, whole


@dataclass(frozen=True)
class Piece:
    text: str
    symbol: str | None = None


def weights(text: str, *, path: str = "a.py", symbol: str | None = None) -> dict[str, int]:
    (packed,) = analyse(path, "python", [Piece(text, symbol)])
    found = unpack(packed)
    return {term: posting >> 9 & 31 for term, posting in zip(found.terms, found.postings, strict=True)}


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("parseConfig", ["parse", "config"]),
        ("parse_config", ["parse", "config"]),
        ("ParseHTTPConfig2", ["parse", "http", "config", "2"]),
        ("URLs", ["urls"]),
        ("sha256", ["sha", "256"]),
        ("__init__", ["init"]),
        ("GrößeÄndern", ["größeändern"]),
        ("x", ["x"]),
    ],
)
def test_a_name_is_split_into_its_words(token: str, words: list[str]) -> None:
    assert parts(token) == words


@pytest.mark.parametrize("name", ["parseConfig", "parse_config", "ParseConfig", "PARSE_CONFIG", "parse-config"])
def test_a_name_is_the_same_whole_word_in_every_casing(name: str) -> None:
    assert whole(name) == "parseconfig"


def test_a_name_of_several_words_is_indexed_split_and_whole_and_one_of_one_word_once() -> None:
    assert expanded("parseConfig") == ("pars", "config", "parseconfig")
    assert expanded("parsing") == ("pars",)


def test_what_is_too_long_to_be_a_word_is_left_out_and_scripts_without_spaces_go_by_pairs() -> None:
    assert expanded("a" * 201) == ()
    assert expanded("検索する") == ("検索", "索す", "する")


@pytest.mark.parametrize(
    "words",
    [
        ("parse", "parses", "parsing", "parsed", "parser"),
        ("connection", "connections", "connect", "connected"),
        ("query", "queries"),
        ("running", "run", "runs"),
        ("validation", "validate", "validator"),
        ("match", "matches", "matching"),
    ],
)
def test_forms_of_a_word_have_one_stem(words: tuple[str, ...]) -> None:
    assert len({stem(word) for word in words}) == 1


@pytest.mark.parametrize("word", ["bus", "class", "this", "id", "args", "größen"])
def test_what_only_looks_inflected_keeps_what_tells_it_apart(word: str) -> None:
    assert stem(word) in {word, word.removesuffix("s") if word == "args" else word}


def test_names_and_paths_and_the_summary_weigh_more_than_the_body() -> None:
    found = weights(
        "# Reads zebras\ndef load_stripes():\n    paint = 1\n", path="animals/horse.py", symbol="load_stripes"
    )
    assert found["paint"] == 1
    assert found["zebra"] == 3
    assert found["load"] == 4
    assert found["hors"] == 2
    assert found["=loadstripes"] == 3


def test_a_docstring_under_its_definition_sums_it_up_too() -> None:
    assert weights('def a():\n    """Counts zebras."""\n    paint = 1\n')["zebra"] == 3


def test_every_definition_in_a_piece_of_several_is_named() -> None:
    found = weights("def one_thing(): ...\n\nasync def other_thing(): ...\n\nexport function thirdThing() {}\n")
    assert {"=onething", "=otherthing", "=thirdthing"} <= set(found)


def test_packing_keeps_terms_and_what_the_ranking_reads() -> None:
    found = unpack(pack(200_000, 100, 5000, {"a": 1, "ö": 99}))
    assert (found.source, found.length, found.terms) == (200_000, 100, ["a", "ö"])
    assert [posting >> 14 for posting in found.postings] == [200_000, 200_000]
    assert [posting >> 9 & 31 for posting in found.postings] == [1, 31]
    assert {posting >> 4 & 31 for posting in found.postings} == {17}  # 2^(17 / 2.5) is 111
    assert {posting & 15 for posting in found.postings} == {8}  # 2^(8 + 4) is 4,096
    assert unpack(pack(0, 0, 0, {})).terms == []


def test_a_name_is_asked_for_whole_and_as_a_definition_and_words_as_a_name_too() -> None:
    name = asked("parseConfig")
    assert name.is_identifier
    assert {"pars", "config", "parseconfig", "=parseconfig"} <= set(name.terms)
    words = asked("parse config")
    assert not words.is_identifier
    assert {"pars", "config", "parseconfig", "=parseconfig"} <= set(words.terms)
    dotted = asked("Config.parse")
    assert {"=configparse", "=parse", "=config"} <= set(dotted.terms)


def test_function_words_weigh_little_in_a_sentence_and_fully_in_a_name() -> None:
    sentence = asked("whether the value is from a dict")
    by_term = dict(zip(sentence.terms, sentence.weights, strict=True))
    assert by_term[stem("from")] == 0.1
    assert by_term[stem("dict")] == 1.0
    name = asked("from_dict")
    assert dict(zip(name.terms, name.weights, strict=True))[stem("from")] == 1.0


def test_a_long_question_asks_for_a_bounded_number_of_terms() -> None:
    found = asked(" ".join(f"word{n}x" for n in range(5000)))
    assert len(found.terms) == len(found.weights) == MOST_TERMS
