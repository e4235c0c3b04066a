"""Cutting by syntax: whole functions, and classes where they are small; small neighbours together; large ones inside.

The tree is walked only down to what is too large to stay whole, and to the members of what has members.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tree_sitter import Node

from kijko.services.reading import naming
from kijko.services.reading.cutting import Cutter
from kijko.services.reading.grammars import CONTAINERS, DEFINES, FUNCTIONS, IMPORT, LEAD, TOKEN, WRAP, Syntax
from kijko.services.reading.units import Unit, members, top, units

_TOGETHER: Final = 0.25
"""Of the budget: neighbours are put together up to this. Small pieces are found and packed better than large ones."""
_WHOLE: Final = 0.5
"""Of the budget: a class with several functions stays whole up to this."""
_INSIDE: Final = 0.85
"""Of the budget: what is cut inside of a function is put together up to this."""
_CRUMB: Final = 0.05
"""Of the budget: less than this is put to what follows, however large that is."""
_DEEPEST: Final = 40
_MOST_CHILDREN: Final = 20_000
_LONGEST_SYMBOL: Final = 200
_WRAPPED: Final = 4
_NAMESPACES: Final = frozenset({"module", "namespace"})


class Place(NamedTuple):
    """Where in the syntax we are."""

    names: tuple[str, ...] = ()
    """Of what is around, from the outside."""
    around: str | None = None
    """The kind of the definition whose members these are."""
    function: str | None = None
    """The kind of what is being cut inside; None between definitions."""
    depth: int = 0

    def deeper(self) -> "Place":
        """One level further in."""
        return Place(self.names, self.around, self.function, self.depth + 1)


class Tiler:
    """Cuts one file."""

    def __init__(self, of: Syntax, cutter: Cutter) -> None:
        self._of = of
        self._cutter = cutter
        self._data = cutter.data
        self._roles, self._kinds, self._language = of.roles, of.kinds, of.language.name
        self._elixir = self._language == "elixir"
        self._special = self._language in naming.SPECIAL
        self._together, self._whole = cutter.limit(_TOGETHER), cutter.limit(_WHOLE)
        self._inside, self._crumb = cutter.limit(_INSIDE), cutter.limit(_CRUMB)

    def cut(self, root: Node) -> None:
        """Put all of the text into the cutter."""
        end = len(self._data)
        if root.child_count > _MOST_CHILDREN:
            self._cutter.put(0, end, "code", None)
        else:
            self._tile(units(self._of, self._data, top(self._of, root), 0), 0, end, Place())

    def kind_of(self, node: Node, depth: int = 0) -> tuple[str | None, Node]:
        """The kind of what a node defines, and the node that defines it: an exported function's is inside."""
        role = self._roles[node.kind_id]
        if role >= DEFINES:
            return self._kinds[role - DEFINES], node
        if role == WRAP and depth < _WRAPPED:
            for child in node.named_children[:8]:
                kind, inner = self.kind_of(child, depth + 1)
                if kind is not None:
                    return kind, inner
        if self._elixir and node.type == "call":
            return naming.elixir_kind(node, self._data), node
        return None, node

    def names_of(self, node: Node, kind: str) -> tuple[str, ...]:
        """What a definition is called; two names for a method that stands beside its type."""
        if not self._special:
            own = naming.plain(node, self._of, self._data)
            return (own,) if own else ()
        language = self._language
        if language == "hcl":
            first = naming.text(node, self._data).partition("{")[0].replace('"', " ").split("=")[0]
            return (".".join(first.split())[:120],)
        own = naming.name(node, self._of, self._data)
        around = naming.receiver(node, self._data) if language == "go" and kind == "method" else None
        return tuple(each for each in (around, own) if each)

    def _tile(self, found: list[Unit], begin: int, end: int, place: Place) -> None:
        if not found:
            self._cutter.put(begin, end, place.function or "code", symbol(place.names))
            return
        together = self._together if place.function is None else self._inside
        crumb, stays_whole = self._crumb, self._stays_whole
        first, run = begin, 0  # where the neighbours that go together begin, and the first of them
        index, last = 0, len(found) - 1
        for unit in found:
            at = unit[0]
            stop = found[index + 1][0] if index < last else end
            if stop - at <= together or stays_whole(unit, stop, place):
                large = stop - first > together and run < index
                if large and (at - first > crumb or not self._cutter.fits(first, stop)):
                    self._flush(found[run:index], first, at, place)
                    first, run = at, index
                index += 1
                continue
            if run < index and at - first > crumb:
                self._flush(found[run:index], first, at, place)
                first = at
            self._open(unit, first, stop, place)
            index += 1
            first, run = stop, index
        if run < index:
            self._flush(found[run:], first, end, place)

    def _stays_whole(self, unit: Unit, end: int, place: Place) -> bool:
        begin, node, role = unit
        if node is not None and place.function is None and end - begin > self._whole and (role >= WRAP or self._elixir):
            kind, inner = self.kind_of(node)
            if kind in CONTAINERS and self._has_functions(inner):
                return False
        return self._cutter.fits(begin, end)

    def _has_functions(self, node: Node) -> bool:
        seen = 0
        for member in members(self._of, node):
            seen += self.kind_of(member)[0] in FUNCTIONS
            if seen > 1:
                return True
        return False

    def _open(self, unit: Unit, begin: int, end: int, place: Place) -> None:
        """Cut inside of what is too large."""
        _, node, role = unit
        if node is None:
            self._cutter.put(begin, end, place.function or "comment", symbol(place.names))
            return
        if place.function is None and (role >= WRAP or self._elixir):
            kind, node = self.kind_of(node)
            if kind is not None:
                names = (*place.names, *self.names_of(node, kind))
                around = kind if kind in CONTAINERS else place.around
                place = Place(names, around, None if kind in CONTAINERS else _told(kind, place.around), place.depth)
        parts = members(self._of, node) if self._can_open(node, place) else []
        while len(parts) == 1 and self._can_open(parts[0], place):
            place = place.deeper()
            parts = parts[0].children
        if not parts:
            self._cutter.put(begin, end, place.function or "code", symbol(place.names))
            return
        self._tile(units(self._of, self._data, parts, begin), begin, end, place.deeper())

    @staticmethod
    def _can_open(node: Node, place: Place) -> bool:
        return place.depth < _DEEPEST and 0 < node.child_count <= _MOST_CHILDREN

    def _flush(self, run: list[Unit], begin: int, end: int, place: Place) -> None:
        """Put neighbours together as one piece."""
        if place.function is not None:
            self._cutter.put(begin, end, place.function, symbol(place.names))
            return
        if len(run) == 1 and run[0][2] >= DEFINES:
            _, node, role = run[0]
            assert node is not None  # noqa: S101  # what defines something is a node
            what = self._kinds[role - DEFINES]
            own = self.names_of(node, what)
            self._cutter.put(begin, end, _told(what, place.around), symbol((*place.names, *own)))
            return
        told: str | None = None
        symbols: list[str] = []
        length = 0
        for _, node, role in run if self._elixir else [unit for unit in run if unit[2] >= WRAP]:
            if node is None:
                continue
            kind, inner = (self._kinds[role - DEFINES], node) if role >= DEFINES else self.kind_of(node)
            if kind is None:
                continue
            told = told or _told(kind, place.around)
            names = self.names_of(inner, kind)
            if names:
                each = ".".join((*place.names, *names)) if place.names or len(names) > 1 else names[0]
                length += 0 if each in symbols else len(each)
                symbols.append(each)
                if length > _LONGEST_SYMBOL and len(symbols) > 1:
                    break  # what comes after would be cut off
        if told is None:
            told = _filling(run, place)
        self._cutter.put(begin, end, told, _listed(symbols) if symbols else symbol(place.names))


def _filling(run: Sequence[Unit], place: Place) -> str:
    """The kind of what defines nothing."""
    roles = {role for _, _, role in run} - {LEAD, TOKEN}
    if not roles:
        return "comment"
    return "import" if roles == {IMPORT} else place.around or "code"


def symbol(names: tuple[str, ...]) -> str | None:
    """A path of names as one."""
    return ".".join(names)[:_LONGEST_SYMBOL] if names else None


def _told(kind: str, around: str | None) -> str:
    return "method" if kind == "function" and around is not None and around not in _NAMESPACES else kind


def _listed(symbols: list[str]) -> str:
    if len(symbols) == 1:
        return symbols[0][:_LONGEST_SYMBOL]
    return ", ".join(dict.fromkeys(symbols))[:_LONGEST_SYMBOL].rstrip(", ")
