"""Pieces: they cover the file once, in order, within the budget, whatever is in it."""

import pickle
import time
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kijko.core.tokenizer import count
from kijko.services.reading import FileRead, Options, Skipped, read_file
from kijko.services.reading.languages import LANGUAGES

_SUFFIXES = sorted({each.suffixes.split()[0] for each in LANGUAGES if each.suffixes})
_CODE = st.lists(
    st.sampled_from(
        [
            "def f(x):\n",
            "    return x\n",
            "class A:\n",
            "    def g(self):\n",
            "\n",
            "\n\n",
            "# note\n",
            "function f() {\n",
            "}\n",
            "{",
            "(",
            ")",
            '"',
            "'",
            "/*",
            "*/",
            "import a\n",
            "public class B {\n",
            "  int c = 1;\n",
            "fn main() {\n",
            "<div>",
            "</div>\n",
            "- a: b\n",
            "  c: [1, 2]\n",
            "# H\n",
            "## I\n",
            "```\n",
            "\r\n",
            "\t",
            "ein Wort ",
            "日本語",
            "é",
            "🙂",
            "x" * 300,
            " " * 200,
            'password = "aB3$kk99zzQ!1"\n',
        ]
    ),
    max_size=400,
).map("".join)
_CONTENT = st.one_of(
    st.binary(max_size=4_000),
    st.text(max_size=3_000).map(lambda text: text.encode("utf-8", "surrogatepass")),
    _CODE.map(str.encode),
    _CODE.map(lambda text: text.encode("utf-16")),
    _CODE.map(lambda text: text.encode("cp1252", "replace")),
    _CODE.map(lambda text: b"\xef\xbb\xbf" + text.encode()),
)


def _covers(found: FileRead, content: bytes, options: Options) -> None:
    if not found.pieces:
        assert not content or found.lines <= 1
        return
    assert found.pieces[0].start_byte == 0
    assert found.pieces[-1].end_byte == len(content)
    overlaps = options.strategy == "fixed" and options.overlap_tokens > 0
    for one, next_ in pairwise(found.pieces):
        assert one.start_byte <= next_.start_byte <= one.end_byte <= next_.end_byte
        assert overlaps or next_.start_byte == one.end_byte
    for piece in found.pieces:
        assert piece.tokens == count(piece.text) <= options.budget_tokens
        assert 1 <= piece.start_line <= piece.end_line <= max(found.lines, 1)
        assert "\0" not in piece.text
        piece.text.encode()


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    content=_CONTENT,
    suffix=st.sampled_from(_SUFFIXES),
    strategy=st.sampled_from(["semantic", "recursive", "fixed"]),
    budget=st.sampled_from([16, 33, 100, 512]),
)
def test_pieces_cover_a_file_once_in_order_within_the_budget(
    content: bytes, suffix: str, strategy: str, budget: int
) -> None:
    options = Options(strategy=strategy, budget_tokens=budget, overlap_tokens=budget // 4, annotations=True)
    found = read_file(f"a.{suffix}", content, options)
    if isinstance(found, Skipped):
        return
    _covers(found, content, options)
    assert read_file(f"a.{suffix}", content, options) == found
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=_CODE, suffix=st.sampled_from(_SUFFIXES), budget=st.sampled_from([16, 64, 512]))
def test_a_text_s_pieces_put_together_are_the_text(content: str, suffix: str, budget: int) -> None:
    options = Options(budget_tokens=budget, overlap_tokens=0, anonymize_secrets=False)
    found = read_file(f"a.{suffix}", content.encode(), options)
    if isinstance(found, FileRead):
        assert "".join(piece.text for piece in found.pieces) == content
        lines = content.encode().split(b"\n")
        for piece in found.pieces:
            first = content.encode()[: piece.start_byte].count(b"\n") + 1
            assert piece.start_line == first
            assert piece.end_line <= len(lines)


_HOSTILE = {
    "brackets": b"(" * 60_000,
    "curly": b"{" * 60_000,
    "angles": b"a<" * 30_000,
    "nested calls": b"f(" * 20_000 + b")" * 20_000,
    "unclosed text": b'"' + b"x\n" * 40_000,
    "ifs": b"if x:\n" * 20_000,
    "deep": b"".join(b" " * level + b"if x:\n" for level in range(900)),
    "sum": b"x = " + b"a + " * 20_000 + b"a\n",
    "else": b"if (a) {} else " * 20_000,
    "list": b"x = [" + b"1,\n" * 20_000 + b"]",
    "comments": b"/*" * 20_000,
    "headings": b"# a\n" * 20_000,
    "yaml": b"".join(b" " * level + b"a:\n" for level in range(700)),
    "tags": b"<div>\n" * 20_000,
    "noise": bytes(range(1, 256)) * 300,
    "carriage returns": b"a = 1\r" * 10_000,
    "null text": b"a\0b",
}


@pytest.mark.parametrize("suffix", _SUFFIXES)
def test_hostile_files_neither_fail_nor_stall(suffix: str) -> None:
    for content in _HOSTILE.values():
        found = read_file(f"a.{suffix}", content[:12_000], Options())
        if isinstance(found, FileRead):
            _covers(found, content[:12_000], Options())


@pytest.mark.parametrize(
    ("suffix", "kind"), [("rb", "ifs"), ("js", "unclosed text"), ("go", "headings"), ("cpp", "tags")]
)
def test_a_file_whose_syntax_takes_too_long_is_cut_without_it_and_says_so(suffix: str, kind: str) -> None:
    found = read_file(f"a.{suffix}", _HOSTILE[kind], Options())
    assert isinstance(found, FileRead)
    assert found.note is not None
    assert "too long" in found.note
    _covers(found, _HOSTILE[kind], Options())


@pytest.mark.parametrize(("suffix", "kind"), [("lua", "angles"), ("lua", "noise"), ("hs", "headings"), ("jl", "tags")])
@pytest.mark.parametrize("size", [30_000, 100_000])
def test_no_file_takes_more_than_three_seconds_whatever_the_parser_makes_of_it(
    suffix: str, kind: str, size: int
) -> None:
    content = (_HOSTILE[kind] * (size // len(_HOSTILE[kind]) + 1))[:size]
    began = time.thread_time()
    found = read_file(f"a.{suffix}", content, Options())
    assert time.thread_time() - began < 3
    if isinstance(found, FileRead):
        _covers(found, content, Options())


def test_after_a_file_that_took_too_long_the_next_is_read_as_ever() -> None:
    text = b"function f()\n  return 1\nend\n"
    alone = read_file("a.lua", text, Options())
    read_file("b.lua", _HOSTILE["headings"], Options())
    assert read_file("a.lua", text, Options()) == alone


def test_ten_million_bytes_in_one_line_are_refused_in_words_or_cut() -> None:
    assert isinstance(read_file("a.py", b"x" * 10_000_000, Options()), Skipped)
    found = read_file("a.txt", b"word " * 1_500_000, Options())
    assert isinstance(found, FileRead)
    assert found.pieces[-1].end_byte == 7_500_000


def test_an_empty_file_has_no_pieces() -> None:
    found = read_file("a.py", b"", Options())
    assert isinstance(found, FileRead)
    assert found.pieces == ()
    assert found.lines == 0


def test_options_have_a_key_that_tells_them_apart() -> None:
    assert Options().key == Options().key
    assert (
        len({Options().key, Options(budget_tokens=256).key, Options(salt=b"x").key, Options(annotations=True).key}) == 4
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"strategy": "magic"},
        {"budget_tokens": 3},
        {"strategy": "fixed", "overlap_tokens": 400},
        {"strategy": "fixed", "overlap_tokens": -1},
    ],
)
def test_options_that_cannot_be_met_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"the|no such"):
        Options(**wrong)  # type: ignore[arg-type]
