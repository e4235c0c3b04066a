"""What stands in brackets in a pattern, `[a-z]`, `[!x]`, `[[:alpha:]]`: one byte of a set, never a slash."""

import re
from typing import Final

_CLASSES: Final = {
    b"alnum": rb"[A-Za-z0-9]",
    b"alpha": rb"[A-Za-z]",
    b"blank": rb"[ \t]",
    b"cntrl": rb"[\x00-\x1f\x7f]",
    b"digit": rb"[0-9]",
    b"graph": rb"[!-~]",
    b"lower": rb"[a-z]",
    b"print": rb"[ -~]",
    b"punct": rb"[!-/:-@\[-`{-~]",
    b"space": rb"[ \t\n\v\f\r]",
    b"upper": rb"[A-Z]",
    b"xdigit": rb"[0-9A-Fa-f]",
}
_NOTHING: Final = rb"[^\x00-\xff]"


def brackets(text: bytes, place: int) -> tuple[bytes, int] | None:
    """The set that begins at a place as a regular expression, and the place after it.

    None: it is not closed, or names a class that there is not; such a pattern matches nothing.
    """
    at = place + 1
    negated = text[at : at + 1] in {b"!", b"^"}
    at += negated
    found: set[int] = set()
    first, previous = True, -1
    while text[at : at + 1] != b"]" or first:
        first = False
        inner = _class(text, at)
        if inner is not None:
            members, at = inner
            if members is None:
                return None
            found |= members
            previous = -1
            continue
        ranged = previous >= 0 and text[at : at + 1] == b"-" and text[at + 1 : at + 2] not in {b"", b"]"}
        at += ranged
        at += text[at : at + 1] == b"\\"
        if at >= len(text):
            return None
        found |= set(range(previous, text[at] + 1)) if ranged else {text[at]}
        previous = -1 if ranged else text[at]
        at += 1
    kept = (set(range(256)) - found if negated else found) - {ord("/")}
    return (b"[" + b"".join(b"\\x%02x" % each for each in sorted(kept)) + b"]" if kept else _NOTHING), at + 1


def _class(text: bytes, at: int) -> tuple[set[int] | None, int] | None:
    """The members of the class `[:name:]` that begins at a place, and the place after it; None where none begins."""
    if text[at : at + 2] != b"[:":
        return None
    close = text.find(b"]", at + 2)
    if close < 0:
        return None, at
    if text[close - 1 : close] != b":" or close - 1 < at + 2:
        return None
    pattern = _CLASSES.get(text[at + 2 : close - 1])
    members = {each for each in range(128) if re.fullmatch(pattern, bytes([each]))} if pattern else None
    return members, close + 1
