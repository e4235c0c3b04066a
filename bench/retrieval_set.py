"""The set that retrieval is measured on, made on demand from the sources of Python packages.

Three kinds of questions, each with the definition that answers it: a sentence that describes a function (its docstring,
which is removed from the code), a function's name in another casing, and what a test is about.
"""

import ast
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SENTENCES, NAMES, TESTS = 150, 80, 80
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LARGEST = 400_000
Definition = ast.FunctionDef | ast.AsyncFunctionDef
Defined = dict[tuple[str, str], Definition]
"""Functions and methods, by path and qualified name; those that have theirs alone."""


@dataclass(frozen=True)
class Question:
    """What is asked, and the lines of the definition that answers it."""

    kind: str
    text: str
    path: str
    line: int
    end_line: int


@dataclass(frozen=True)
class Package:
    """A package's files, as they are searched, and the questions about them."""

    name: str
    files: dict[str, str]
    questions: list[Question]


def package(name: str, folder: Path, seed: int = 1) -> Package:
    """Reads a package's Python files and asks about them; the same seed, the same questions."""
    chance = random.Random(f"{name}{seed}")
    files = dict(_sources(folder))
    described = _described(_defined(files))
    asked = dict(chance.sample(sorted(described.items()), min(SENTENCES, len(described))))
    for path in {path for path, _ in asked}:
        files[path] = _without_docstrings(files[path], {name for at, name in asked if at == path})
    defined = _defined(files)
    questions = [_question("sentence", text, key, defined[key]) for key, text in asked.items() if key in defined]
    unique = _unique(defined)
    questions += [
        _question("name", _recased(chance, each), unique[each], defined[unique[each]])
        for each in chance.sample(sorted(unique), min(NAMES, len(unique)))
    ]
    tests = sorted(_tests(defined, unique))
    questions += [
        _question("test", text, unique[each], defined[unique[each]])
        for text, each in chance.sample(tests, min(TESTS, len(tests)))
    ]
    return Package(name, files, questions)


def _sources(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.py")):
        if path.stat().st_size < _LARGEST:
            text = path.read_text(errors="ignore")
            try:
                ast.parse(text)
            except (SyntaxError, ValueError):
                continue
            yield str(path.relative_to(folder)), text


def _functions(node: ast.AST, before: str = "") -> Iterator[tuple[str, Definition]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{before}{child.name}.")
        elif isinstance(child, Definition):
            yield f"{before}{child.name}", child


def _defined(files: dict[str, str]) -> Defined:
    found = [((path, name), node) for path, text in files.items() for name, node in _functions(ast.parse(text))]
    times = Counter(key for key, _ in found)
    return {key: node for key, node in found if times[key] == 1}


def _is_test(path: str) -> bool:
    return "test" in path.lower()


def _described(defined: Defined) -> dict[tuple[str, str], str]:
    """The first sentences of docstrings that say something, of functions that do something."""
    found = {}
    for key, node in defined.items():
        text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
        sentence = re.split(r"(?<=[a-z)])\.(?:\s|$)", text)[0]
        if not _is_test(key[0]) and 5 <= len(sentence.split()) <= 40 and len(node.body) >= 3:
            found[key] = sentence
    return found


def _without_docstrings(text: str, names: set[str]) -> str:
    lines = text.split("\n")
    for name, node in _functions(ast.parse(text)):
        first = node.body[0]
        if name in names and isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            lines[first.lineno - 1 : first.end_lineno] = [None] * (first.end_lineno - first.lineno + 1)
    return "\n".join(line for line in lines if line is not None)


def _unique(defined: Defined) -> dict[str, tuple[str, str]]:
    """Names of two words or more that one function of the package alone has."""
    times = Counter(name.rpartition(".")[2] for path, name in defined if not _is_test(path))
    return {
        bare: key
        for key in defined
        if not _is_test(key[0])
        and times[bare := key[1].rpartition(".")[2]] == 1
        and len(_PART.findall(bare)) >= 2
        and not bare.startswith("__")
    }


def _recased(chance: random.Random, name: str) -> str:
    words = [part.lower() for part in _PART.findall(name)]
    casings = [
        words[0] + "".join(word.title() for word in words[1:]),
        "".join(word.title() for word in words),
        "-".join(words),
        " ".join(words),
        "_".join(words).upper(),
    ]
    return chance.choice(casings)


def _tests(defined: Defined, unique: dict[str, tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """What tests say they are about, with the function of the package that they call and name."""
    for (path, _), node in defined.items():
        if not _is_test(path) or not node.name.startswith("test"):
            continue
        words = [part.lower() for part in _PART.findall(node.name)][1:]
        called = {
            call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            for call in ast.walk(node)
            if isinstance(call, ast.Call)
        }
        about = [name for name in called & set(unique) if set(_PART.findall(name.lower())) & set(words)]
        if len(about) == 1 and len(words) >= 2:
            yield " ".join([*words, *(ast.get_docstring(node) or "").split("\n")[0].split()]), about[0]


def _question(kind: str, text: str, key: tuple[str, str], node: Definition) -> Question:
    return Question(kind, text, key[0], node.lineno, node.end_lineno or node.lineno)
