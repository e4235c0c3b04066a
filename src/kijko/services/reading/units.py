"""The members of a piece of syntax as units that cover it without gaps: each begins at its leading comments.

A comment, decorator or attribute belongs to what follows it, unless an empty line stands between. What ends a line
belongs to what began it. These loops run for every node that is looked at, so they are written for speed.
"""

from collections.abc import Sequence
from typing import Final

from tree_sitter import Node

from kijko.services.reading.grammars import LEAD, TOKEN, Syntax

_FEW: Final = 4
_NEWLINE: Final = 0x0A

Unit = tuple[int, Node | None, int]
"""Where a member begins, its node (none: a comment by itself) and that node's role. It ends where the next begins."""


def members(of: Syntax, node: Node) -> list[Node]:
    """A definition's parts, those of its body among them, one level deep."""
    children, bodies = node.children, of.bodies
    if 1 not in [bodies[child.kind_id] for child in children]:
        return children
    found: list[Node] = []
    for child in children:
        if bodies[child.kind_id]:
            found += child.children
        else:
            found.append(child)
    return found


def top(of: Syntax, root: Node) -> list[Node]:
    """A file's parts. In some languages they stand one level deeper, by themselves or beside a header."""
    return members(of, root) if root.child_count <= _FEW else root.children


def units(of: Syntax, data: bytes, nodes: Sequence[Node], begin: int) -> list[Unit]:
    """The nodes as units, the first of which begins at `begin`."""
    found: list[Unit] = []
    roles, rfind, append = of.roles, data.rfind, found.append
    end = begin  # of the last node
    lead = -1  # where the comments before the next node begin
    for node in nodes:
        role, start = roles[node.kind_id], node.start_byte
        if start <= end:
            if start < end or (role == TOKEN and found and lead < 0):
                end = max(end, node.end_byte)
                continue
            newline = -1
        else:
            if role == TOKEN and found and lead < 0:
                end = node.end_byte
                continue
            newline = start - 1 if data[start - 1] == _NEWLINE else rfind(b"\n", end, start)
            if lead >= 0 and newline >= 0 and data.count(b"\n", end, start) > 1:
                append((lead, None, LEAD))
                lead = -1
        if role != LEAD:
            append((lead if lead >= 0 else newline + 1 if newline >= 0 else start, node, role))
            lead = -1
        elif lead < 0 and (newline >= 0 or not found):
            lead = newline + 1 if newline >= 0 else start
        end = node.end_byte
    if lead >= 0:
        found.append((lead, None, LEAD))
    if found:
        found[0] = (begin, *found[0][1:])
    return found
