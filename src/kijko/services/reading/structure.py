"""What a file brings in, what it defines and what its authors marked: kept beside its pieces where a project wants it.

`imports` are the statements, `signatures` the definitions with their heads up to the body, `outline` the definitions
with their lines, `annotations` the marks in comments (TODO, FIXME, HACK, XXX, BUG, NOTE, OPTIMIZE, DEPRECATED).
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from tree_sitter import Node

from kijko.services.reading.cutting import Cutter
from kijko.services.reading.grammars import CONTAINERS, IMPORT, LEAD, Syntax
from kijko.services.reading.results import Options
from kijko.services.reading.syntax import Tiler
from kijko.services.reading.units import members, top

_MOST: Final = 1_000
"""Entries of each kind in one file; what is more is left out."""
_LONGEST: Final = 300
_DEEPEST: Final = 6
_MOST_PARTS: Final = 50
_MOST_CHILDREN: Final = 20_000
_MARK: Final = re.compile(
    rb"(?:#|//|/\*|^\s*\*|--|;|<!--|%|\"\"\"|''')[^\n]{0,40}?\b(TODO|FIXME|HACK|XXX|BUG|NOTE|OPTIMIZE|DEPRECATED)\b"
    rb"(?:\(([^)\n]{0,60})\))?[:\s-]*([^\n]{0,300})",
    re.MULTILINE,
)

Line = Callable[[int], int]
Structure = dict[str, Any]  # JSON, as it is kept


def of_code(syntax: Syntax, tiler: Tiler, cutter: Cutter, root: Node, options: Options) -> Structure:
    """What a file's syntax tells."""
    found: Structure = {}
    data = cutter.data

    def line(node: Node, *, end: bool = False) -> int:
        if cutter.plain:  # the text is the file's own, and so are the syntax's lines
            return int((node.end_point if end and node.end_point[1] else node.start_point)[0]) + 1
        return cutter.line(max(node.end_byte - 1, node.start_byte) if end else node.start_byte)

    if options.imports:
        found["imports"] = _imports(syntax, data, root)
    if options.signatures or options.structure:
        definitions = []
        for kind, symbol, node in _definitions(syntax, tiler, root, (), 0):
            definitions.append((kind, symbol, node))
            if len(definitions) >= _MOST:
                break
        if options.signatures:
            found["signatures"] = [
                {"symbol": symbol, "kind": kind, "line": line(node), "signature": _head(syntax, data, node)}
                for kind, symbol, node in definitions
            ]
        if options.structure:
            found["outline"] = [
                {
                    "symbol": symbol,
                    "kind": kind,
                    "startLine": line(node),
                    "endLine": line(node, end=True),
                }
                for kind, symbol, node in definitions
            ]
    return found


def marks(data: bytes, line: Line) -> list[dict[str, Any]]:
    """What authors marked in their comments."""
    found = []
    for match in _MARK.finditer(data):
        text = _words(match[3])
        told = {
            "line": line(match.start(1)),
            "tag": match[1].decode(),
            "text": text.removesuffix("*/").removesuffix("-->").strip(),
        }
        found.append(told | ({"who": _words(match[2])} if match[2] else {}))
        if len(found) >= _MOST:
            break
    return found


def _imports(syntax: Syntax, data: bytes, root: Node) -> list[str]:
    if root.child_count > _MOST_CHILDREN:
        return []
    roles = syntax.roles
    texts = (
        _words(data[child.start_byte : min(child.end_byte, child.start_byte + 2 * _LONGEST)])[:_LONGEST]
        for child in top(syntax, root)
        if roles[child.kind_id] == IMPORT
    )
    return list(dict.fromkeys(texts))[:_MOST]


def _definitions(
    syntax: Syntax, tiler: Tiler, node: Node, names: tuple[str, ...], depth: int
) -> Iterator[tuple[str, str, Node]]:
    if depth > _DEEPEST or node.child_count > _MOST_CHILDREN:
        return
    for child in members(syntax, node) if depth else top(syntax, node):
        kind, inner = tiler.kind_of(child)
        if kind is None:
            continue
        around = (*names, *tiler.names_of(inner, kind))
        if len(around) > len(names):
            yield kind, ".".join(around)[:_LONGEST], inner
        if kind in CONTAINERS:
            yield from _definitions(syntax, tiler, inner, around, depth + 1)


def _head(syntax: Syntax, data: bytes, node: Node) -> str:
    """What stands before a definition's body, its comments apart; its first line where it has no body."""
    begin, end, body = node.start_byte, node.start_byte, False
    for child in node.children[:_MOST_PARTS]:
        body = syntax.bodies[child.kind_id] == 1
        if body:
            break
        if syntax.roles[child.kind_id] != LEAD:
            end = child.end_byte
    text = data[begin : min(end, begin + 4 * _LONGEST)]
    return _words(text if body else text.partition(b"\n")[0]).rstrip("{=:").rstrip()[:_LONGEST]


def _words(text: bytes) -> str:
    return " ".join(text.decode("utf-8", "replace").split())
