"""Languages: how a file's is told, and what is found in each."""

import sys

import pytest

from kijko.services.reading import FileRead, Options, read_file
from kijko.services.reading.grammars import parse, syntax

_SAMPLES = {
    "python": ("a.py", "import os\n\n\nclass Shop:\n    def open(self):\n        return 1\n", "Shop.open"),
    "javascript": ("a.js", "import x from 'y';\nexport class Shop { open() { return 1; } }\n", "Shop.open"),
    "typescript": (
        "a.ts",
        "interface Door { open(): void }\nexport const openDoor = (a: Door) => a.open();\n",
        "openDoor",
    ),
    "tsx": ("a.tsx", "export function Shop() { return <div/>; }\n", "Shop"),
    "java": ("A.java", "package a;\nclass Shop { int open() { return 1; } }\n", "Shop.open"),
    "kotlin": ("a.kt", "class Shop { fun open(): Int { return 1 } }\n", "Shop.open"),
    "scala": ("a.scala", "object Shop { def open(): Int = 1 }\n", "Shop.open"),
    "c": ("a.c", "#include <a.h>\nstatic int *open_shop(int a) { return 0; }\n", "open_shop"),
    "cpp": ("a.cpp", "namespace town { class Shop { int open() { return 1; } }; }\n", "town.Shop.open"),
    "objective-c": ("a.m", "#import <a.h>\n@implementation Shop\n- (int)open { return 1; }\n@end\n", "Shop.open"),
    "csharp": ("a.cs", "using System;\nnamespace Town { class Shop { int Open() { return 1; } } }\n", "Town.Shop.Open"),
    "go": ("a.go", "package a\n\nfunc (s *Shop) Open() int { return 1 }\n", "Shop.Open"),
    "rust": ("a.rs", "use a::b;\nimpl Shop { fn open(&self) -> i32 { 1 } }\n", "Shop.open"),
    "swift": ("a.swift", "class Shop { func open() -> Int { return 1 } }\n", "Shop.open"),
    "ruby": ("a.rb", "class Shop\n  def open\n    1\n  end\nend\n", "Shop.open"),
    "php": ("a.php", "<?php\nclass Shop { function open() { return 1; } }\n", "Shop.open"),
    "bash": ("a.sh", "open_shop() {\n  echo 1\n}\n", "open_shop"),
    "powershell": ("a.ps1", "function Open-Shop { return 1 }\n", "Open-Shop"),
    "perl": ("a.pl", "use strict;\nsub open_shop { return 1; }\n", "open_shop"),
    "lua": ("a.lua", "local function open_shop()\n  return 1\nend\n", "open_shop"),
    "elixir": ("a.ex", "defmodule Shop do\n  def open(a) do\n    a\n  end\nend\n", "Shop.open"),
    "haskell": ("a.hs", "module Shop where\n\nopenShop :: Int -> Int\nopenShop a = a\n", "openShop"),
    "ocaml": ("a.ml", "let open_shop a = a + 1\n", "open_shop"),
    "julia": ("a.jl", "function open_shop(a)\n    a\nend\n", "open_shop"),
    "dart": ("a.dart", "class Shop { int open() { return 1; } }\n", "Shop"),
    "zig": ("a.zig", "fn openShop() i32 { return 1; }\n", "openShop"),
    "solidity": ("a.sol", "contract Shop { function open() public { } }\n", "Shop.open"),
    "sql": ("a.sql", "create table shops (id int);\n", "shops"),
    "hcl": ("a.tf", 'resource "aws_shop" "main" {\n  open = true\n}\n', "resource.aws_shop.main"),
    "css": ("a.css", ".shop { color: red; }\n", ".shop"),
    "scss": ("a.scss", "@mixin shop { color: red; }\n", "shop"),
    "toml": ("a.toml", "[tool.shop]\nopen = true\n", "tool.shop"),
}


@pytest.mark.parametrize("language", _SAMPLES)
def test_definitions_are_found_by_their_path(language: str) -> None:
    path, text, symbol = _SAMPLES[language]
    found = read_file(path, text.encode(), Options())
    assert isinstance(found, FileRead)
    assert found.language == language
    assert found.structure is not None
    assert symbol in [each["symbol"] for each in found.structure["signatures"]]


@pytest.mark.parametrize("language", _SAMPLES)
def test_broken_syntax_degrades(language: str) -> None:
    path, text, _ = _SAMPLES[language]
    for end in range(1, len(text), 3):
        broken = text[:end] + " ((( {{{ ''' " + text[end:]
        found = read_file(path, broken.encode(), Options())
        assert isinstance(found, FileRead)
        assert "".join(piece.text for piece in found.pieces) == broken


@pytest.mark.parametrize(
    ("path", "content", "language"),
    [
        ("run", b"#!/usr/bin/env python3\nx = 1\n", "python"),
        ("run", b"#!/bin/bash -e\nx=1\n", "bash"),
        ("run", b"#!/usr/bin/env -S node --flag\n", "javascript"),
        ("run", b"just words\n", None),
        ("Makefile", b"all:\n\techo\n", "makefile"),
        ("Dockerfile.dev", b"FROM a\n", "dockerfile"),
        ("a.h", b"int f(void);\n", "c"),
        ("a.h", b"namespace a { class B; }\n", "cpp"),
        ("a.h", b"@interface A\n@end\n", "objective-c"),
        ("README", b"words\n", "markdown"),
        ("x.unknown", b"words\n", None),
        (".bashrc", b"alias a=b\n", "bash"),
    ],
)
def test_a_language_is_told_by_name_ending_or_first_line(path: str, content: bytes, language: str | None) -> None:
    found = read_file(path, content, Options())
    assert isinstance(found, FileRead)
    assert found.language == language


def _pieces(text: str, path: str = "a.py", **options: object) -> list[tuple[str, str | None]]:
    found = read_file(path, text.encode(), Options(**options))  # type: ignore[arg-type]
    assert isinstance(found, FileRead)
    return [(piece.kind, piece.symbol) for piece in found.pieces]


def _function(name: str, lines: int, indent: str = "") -> str:
    body = "".join(f"{indent}    value_{line} = compute_something({line})\n" for line in range(lines))
    return f"{indent}def {name}(self):\n{body}"


def test_functions_stay_whole_and_small_ones_go_together() -> None:
    text = _function("one", 2) + "\n\n" + _function("two", 2) + "\n\n" + _function("large", 40)
    assert _pieces(text) == [("function", "one, two"), ("function", "large")]


def test_a_class_is_whole_where_it_is_small_and_its_methods_apart_where_it_is_not() -> None:
    small = "class Shop:\n" + _function("a", 2, "    ") + _function("b", 2, "    ")
    assert _pieces(small) == [("class", "Shop")]
    large = "class Shop:\n" + "".join(_function(name, 14, "    ") + "\n" for name in "abc")
    assert _pieces(large) == [("method", "Shop.a"), ("method", "Shop.b"), ("method", "Shop.c")]


def test_what_only_imports_is_told_so() -> None:
    imports = "# What it takes\n" + "".join(f"from shop.part_{number} import thing_{number}\n" for number in range(40))
    assert _pieces(imports)[0] == ("import", None)
    assert _pieces(imports + "\n\n" + _function("one", 30))[0] == ("import", None)
    assert _pieces("LIMIT = 7\n" * 40)[0] == ("code", None)


def test_what_is_too_large_is_cut_inside_and_keeps_its_name() -> None:
    text = _function("large", 200)
    found = read_file("a.py", text.encode(), Options())
    assert isinstance(found, FileRead)
    assert len(found.pieces) > 3
    assert {piece.symbol for piece in found.pieces} == {"large"}
    assert all(piece.text.endswith("\n") for piece in found.pieces)


def test_a_piece_begins_at_its_comment_or_decorator() -> None:
    text = _function("one", 20) + "\n\n# What two does\n@decorated\n" + _function("two", 20)
    found = read_file("a.py", text.encode(), Options())
    assert isinstance(found, FileRead)
    assert found.pieces[1].text.startswith("# What two does\n@decorated\ndef two")
    script = "/** Opens it. */\nexport function open(a) {\n" + "  a = f(a, 'word');\n" * 30 + "}\n"
    found = read_file("a.js", (script + script.replace("open", "close").replace("Opens", "Closes")).encode(), Options())
    assert isinstance(found, FileRead)
    assert found.pieces[1].text.startswith("/** Closes it. */\nexport function close")


def test_prose_is_cut_by_its_headings() -> None:
    words = "Some words about it. " * 40 + "\n"
    text = f"# Shop\n{words}\n## Open\n{words}\n```\n# no heading\n```\n## Close\n{words}"
    assert _pieces(text, "a.md") == [("section", "Shop"), ("section", "Shop > Open"), ("section", "Shop > Close")]


def test_the_structure_has_what_was_asked_for() -> None:
    text = "import os\nfrom a import (\n    b,\n)\n\n\ndef f(a: int) -> str:  # TODO(ada): say more\n    return ''\n"
    found = read_file("a.py", text.encode(), Options(annotations=True))
    assert isinstance(found, FileRead)
    assert found.structure == {
        "imports": ["import os", "from a import ( b, )"],
        "signatures": [{"symbol": "f", "kind": "function", "line": 7, "signature": "def f(a: int) -> str"}],
        "outline": [{"symbol": "f", "kind": "function", "startLine": 7, "endLine": 8}],
        "annotations": [{"line": 7, "tag": "TODO", "text": "say more", "who": "ada"}],
    }
    bare = read_file("a.py", text.encode(), Options(signatures=False, imports=False, structure=False))
    assert isinstance(bare, FileRead)
    assert bare.structure is None


def test_a_text_that_was_parsed_is_not_held() -> None:
    text = b"def one():\n    return 1\n\n\n" * 4_000
    of = syntax("python")
    assert of is not None
    before = sys.getrefcount(text)
    for _ in range(3):
        assert parse(of, text) is not None
    assert sys.getrefcount(text) == before
