"""What a definition is called."""

from typing import Final

from tree_sitter import Node

from kijko.services.reading.grammars import HOLDS, NAME, Syntax

_LONGEST: Final = 120
_DECLARATORS: Final = 8
_CALLS: Final = frozenset(
    [
        "def",
        "defp",
        "defmacro",
        "defmacrop",
        "defmodule",
        "defprotocol",
        "defimpl",
        "defguard",
        "defstruct",
        "defdelegate",
        "test",
        "describe",
    ]
)


def plain(node: Node, of: Syntax, data: bytes) -> str | None:
    """A definition's own name, as it stands in the text, in a language that needs no care; None where it has none.

    A node's own `text` is not asked for: it reads freed memory where the text was parsed in parts.
    """
    found = _plain(node, of)
    return _shown(found, data) if found is not None else None


def name(node: Node, of: Syntax, data: bytes) -> str | None:
    """The same, in any language."""
    found = _by_language(node, of)
    return _shown(found, data) if found is not None else None


def _shown(node: Node, data: bytes) -> str | None:
    begin, end = node.start_byte, node.end_byte  # two calls are quicker than `byte_range`, which makes a pair
    words = data[begin : min(end, begin + 4 * _LONGEST)].decode("utf-8", "replace")
    if words.isidentifier() and len(words) <= _LONGEST:
        return words
    return " ".join(words.split()).replace("::", ".").strip("\"'`")[:_LONGEST] or None


def text(node: Node, data: bytes) -> str:
    """The beginning of what a node stands for."""
    begin, end = node.byte_range
    return data[begin : min(end, begin + 4 * _LONGEST)].decode("utf-8", "replace")


def elixir_kind(node: Node, data: bytes) -> str | None:
    """What a call of Elixir defines: everything there is a call."""
    target = node.child_by_field_name("target")
    word = text(target, data) if target is not None else ""
    if word not in _CALLS:
        return None
    return (
        "module"
        if word in {"defmodule", "defprotocol", "defimpl"}
        else "test"
        if word in {"test", "describe"}
        else "function"
    )


def _plain(node: Node, of: Syntax) -> Node | None:
    found = node.child_by_field_id(of.name_field) if of.name_field else None
    if found is not None:
        return found
    found = node.child_by_field_id(of.declarator_field) if of.declarator_field else None
    if found is not None:
        return _declared(found, of)
    names = of.names
    for child in node.named_children[:6]:
        what = names[child.kind_id]
        if what == NAME:
            return child
        if what == HOLDS:
            return _plain(child, of)
    return None


def _declared(node: Node, of: Syntax) -> Node:
    """The name inside of C's declarators: `*(*name[3])(int)`."""
    for _ in range(_DECLARATORS):
        if not node.child_count:
            break
        inner = node.child_by_field_id(of.declarator_field)
        if inner is None:
            inner = next((each for each in node.named_children[:3] if each.type.endswith("declarator")), None)
        if inner is None:
            break
        node = inner
    return node


def _by_language(node: Node, of: Syntax) -> Node | None:
    language, kind = of.language.name, node.type
    if language in {"javascript", "typescript", "tsx"} and kind in {"lexical_declaration", "variable_declaration"}:
        first = next((each for each in node.named_children[:2] if each.type == "variable_declarator"), None)
        return first.child_by_field_name("name") if first is not None else None
    if language == "rust" and kind == "impl_item":
        return node.child_by_field_name("type")
    if language == "elixir":
        arguments = next((each for each in node.named_children[:3] if each.type == "arguments"), None)
        first = arguments.named_children[0] if arguments is not None and arguments.named_children else None
        while first is not None and first.type in {"binary_operator", "call"}:
            first = first.child_by_field_name("left") or first.child_by_field_name("target")
        return first
    if language in {"css", "scss"}:
        return node.named_children[0] if node.named_children else None
    if language == "julia":
        found = node.named_children[0] if node.named_children else None
        while found is not None and found.type in {
            "signature",
            "call_expression",
            "type_head",
            "where_expression",
            "typed_expression",
        }:
            found = found.named_children[0] if found.named_children else None
        return found
    return _plain(node, of)


SPECIAL: Final = frozenset({"javascript", "typescript", "tsx", "rust", "elixir", "css", "scss", "julia", "go", "hcl"})


def receiver(node: Node, data: bytes) -> str | None:
    """The type that a method of Go belongs to."""
    found = node.child_by_field_name("receiver")
    words = (
        (text(found, data) if found is not None else "").strip("()").replace("*", " ").split("[", maxsplit=1)[0].split()
    )
    return words[-1] if words else None
