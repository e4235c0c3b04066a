"""Tree-sitter's grammars, each loaded when the first file of its language is read, with what its nodes mean to us."""

import importlib
import warnings
from dataclasses import dataclass
from functools import cache
from time import monotonic, thread_time
from typing import Final

from tree_sitter import Language as Grammar
from tree_sitter import Node, Parser

from kijko.services.reading.languages import BY_NAME, Language

PLAIN, TOKEN, LEAD, WRAP, IMPORT, DEFINES = range(6)
"""What a node is; DEFINES and above are definitions, each kind of them a number of its own."""
CONTAINERS: Final = frozenset(
    [
        "class",
        "struct",
        "interface",
        "enum",
        "trait",
        "impl",
        "module",
        "namespace",
        "object",
        "protocol",
        "extension",
        "contract",
        "instance",
    ]
)
"""Kinds of definitions whose members are definitions of their own."""
FUNCTIONS: Final = frozenset({"function", "method", "constructor"})
_BODY: Final = (
    "body_statement",
    "declarations",
    "body",
    "block",
    "declaration_list",
    "suite",
    "members",
    "statement_list",
    "structure",
)
_CALLED: Final = frozenset({"name", "word", "constant", "object_reference", "bare_key", "dotted_key", "quoted_key"})
_HOLDS_A_NAME: Final = (
    "_signature",
    "_declarator",
    "_spec",
    "_binding",
    "variable_declaration",
    "assignment_statement",
    "variable_list",
)
NAME, HOLDS = 1, 2
"""What a node may be to the definition that it is a child of: its name, or what has its name inside."""
_KINDS: Final = 65_536
_SMALL: Final = 2_048
"""Bytes that are parsed without a guard: however wrong they are, it takes no time."""
_STEPS_EACH_BYTE, _STEPS_MORE = 0.03, 300
"""What a parse may take: in ordinary code the parser reports once in 50 to 250 bytes."""
_SOME: Final = 15
"""Of sixteen reports one is looked at: together they take a third of a second at most, and each look costs."""
_SECONDS_EACH_BYTE, _SECONDS_MORE = 1e-6, 1.0
"""The same in CPU time, since there are texts in which a single step takes 20 ms. Ordinary code takes a fifth of this,
or less, without the second; and how busy the machine is does not count."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """A grammar and what its nodes mean. `roles`, `bodies` and `names` are by a node's `kind_id`.

    Fields are numbers, 0 where the grammar has none of that name: to find a field by its name compares it with all.
    """

    language: Language
    parser: Parser
    roles: bytes
    bodies: bytes
    names: bytes
    """NAME or HOLDS, else 0."""
    name_field: int
    declarator_field: int
    kinds: tuple[str, ...]
    """By role, less DEFINES."""


@cache
def syntax(name: str) -> Syntax | None:
    """The syntax of the language of that name; None where there is no grammar for it."""
    language = BY_NAME[name]
    if not language.grammar:
        return None
    module, _, function = language.grammar.partition(":")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # some grammars hand a number where a capsule is wanted
        grammar = Grammar(getattr(importlib.import_module(module), function or "language")())
    kinds: list[str] = []
    wanted: dict[str, int] = {}
    for group in filter(None, language.defines.split(";")):
        kind, _, nodes = group.partition(":")
        kinds.append(kind.strip())
        wanted.update(dict.fromkeys(nodes.split(), DEFINES + len(kinds) - 1))
    wanted.update(dict.fromkeys(language.wraps.split(), WRAP))
    wanted.update(dict.fromkeys(language.imports.split(), IMPORT))
    wanted.update(dict.fromkeys(language.leads.split(), LEAD))
    # As long as a kind_id can be: what is no syntax has the largest.
    roles, bodies, names = bytearray(_KINDS), bytearray(_KINDS), bytearray(_KINDS)
    for number in range(grammar.node_kind_count):
        node = grammar.node_kind_for_id(number) or ""
        if not grammar.node_kind_is_named(number):
            roles[number] = TOKEN
            continue
        roles[number] = LEAD if "comment" in node and node != "comment_statement" else wanted.get(node, PLAIN)
        bodies[number] = node not in wanted and node.endswith(_BODY)
        names[number] = _name_or_not(node)
    return Syntax(
        language,
        Parser(grammar),
        bytes(roles),
        bytes(bodies),
        bytes(names),
        grammar.field_id_for_name("name") or 0,
        grammar.field_id_for_name("declarator") or 0,
        tuple(kinds),
    )


def _name_or_not(node: str) -> int:
    if "identifier" in node or node.endswith("_name") or node in _CALLED:
        return NAME
    return HOLDS if node.endswith(_HOLDS_A_NAME) else 0


def parse(of: Syntax, data: bytes) -> Node | None:
    """The root of the text's syntax; None where the text is such that parsing it does not end in time."""
    if len(data) <= _SMALL:
        return of.parser.parse(data).root_node
    left = int(len(data) * _STEPS_EACH_BYTE) + _STEPS_MORE
    seconds = len(data) * _SECONDS_EACH_BYTE + _SECONDS_MORE
    early, until = monotonic() + seconds, thread_time() + seconds
    view = memoryview(data)
    given: list[memoryview] = []

    def some(place: int, _point: object) -> memoryview:
        given.append(view[place : place + 65_536])
        return given[-1]

    def stop(_offset: int, _wrong: bool) -> bool:
        nonlocal left
        left -= 1
        if left & _SOME:
            return False
        # The clock is never behind the CPU's, and asking it costs less.
        return left <= 0 or (monotonic() > early and thread_time() > until)

    try:
        return of.parser.parse(some, progress_callback=stop).root_node
    except ValueError:
        of.parser.reset()  # or the next text would be taken for this one's rest
        return None
    finally:
        for each in given:  # the binding never lets go of them, and each would hold the whole text for ever
            each.release()
