"""Secrets in a text: found with Kingfisher's rules (Betterleaks' and Veles' catalogs) and a few of our own, replaced.

The scanner runs in the process, over the whole text, before it is cut: no secret can lie across a border. What was
found once is replaced wherever it stands. Examples and references to a secret kept elsewhere are let be.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from kijko.services.reading.results import Secret
from kijko.services.reading.source import Redacted, replaced

_OWN: Final = Path(__file__).with_name("secrets.yml")
_SHORTEST_EVERYWHERE: Final = 8
"""A found secret shorter than this is replaced where it was found only: it may be a word."""
_SHORTEST_IN_ADDRESS: Final = 5
_MARK: Final = "[secret:"
_KINDS: Final = {
    "setting": "password",
    "property": "password",
    "address": "password",
    "aws-access-token": "aws-access-key",
}
_HELPERS: Final = frozenset({"betterleaks.aws-secret-access-key"})
"""Rules of the kept set that only help another one there, and find a secret all the same."""
_ADDRESSES: Final = frozenset({"address", "generic-credential-uri"})
_CERTAIN: Final = frozenset({"private-key", "aws-access-key"})
"""Our own rules that need no name beside what they find."""
_EXAMPLE: Final = re.compile(
    r"^[<\[{(%$*@].*|.*(?:\$\{|\{\{|%\(|\$\(|<[a-z]).*|.*\[secret:.*"
    r"|.*(?:example|sample|dummy|placeholder|(?:change|replace)[-_ ]?me|your[-_ ]|my[-_]?(?:secret|password)"
    r"|my[-_]?(?:token|key)|redacted|insert[-_ ]|todo|fixme|xxxx|\*\*\*|\.\.\.|foobar|lorem"
    r"|not[-_]?a[-_]?(?:real|secret)|fake|test|mock"
    r"|secret[-_]?(?:key|token)?$"
    r"|deadbeef|hunter2|qwerty|letmein|swordfish|correct[-_ ]?horse"
    r"|undefined|null\b|none\b).*"
    r"|.*(.)\1{7,}.*",
    re.IGNORECASE | re.DOTALL,
)
_SEQUENCE: Final = re.compile(r".*(?:1234567|abcdef).*", re.IGNORECASE | re.DOTALL)
_WORDS: Final = re.compile(r"[^A-Za-z0-9]*+[A-Za-z]++\d{0,3}+(?:[^A-Za-z0-9]++[A-Za-z]*+\d{0,3}+)*+")
"""Words and what parts them: a name, a path of names, a call, a sentence. Nobody's password, or a weak one."""
_REFERENCE: Final = re.compile(r"/[\w./-]*|\./[\w./-]*|https?://[^@]*|[\W_]+|\d{1,9}")
_PLACES: Final = re.compile(
    r"@(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]|host(?:name)?\b|[\w.-]*\bexample\b|[\w.-]*\.(?:test|invalid|local)\b|[{<$%])",
    re.IGNORECASE,
)
_WELL_KNOWN: Final = frozenset(
    {"password", "passwd", "pass", "pwd", "secret", "token", "guest", "user", "username", "postgres", "root", "admin"}
    | {"tiger", "foo", "bar", "baz", "opensesame", "pw", "p", "mysecret", "abc", "test", "xyz", "hello", "world"}
)
_KEY: Final = re.compile(r"[A-Za-z0-9+/=]{40}")
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_HEX: Final = re.compile(r"(?=(?:.*[0-9]){4})(?=(?:.*[a-f]){3})[0-9a-f]{24,}", re.IGNORECASE)
_INTEGRITY: Final = re.compile(r"(?:sha(?:1|256|384|512)|md5)[-:=].*", re.IGNORECASE | re.DOTALL)
_MIXED: Final = (re.compile(r"[a-z]"), re.compile(r"[A-Z]"), re.compile(r"[0-9]"), re.compile(r"[^A-Za-z0-9]"))


def redact(data: bytes, salt: bytes, *, anonymize: bool) -> tuple[Redacted, tuple[Secret, ...]]:
    """The text without its secrets, and what they were. Without `anonymize` the text stays as it is.

    Args:
        data: UTF-8.
        salt: the organization's.
    """
    found = _found(data)
    if not found:
        return Redacted(data), ()
    spans: list[tuple[int, int]] = []
    texts: list[bytes] = []
    told: list[Secret] = []
    line, last = 1, 0
    for begin, end, kind in found:
        text = _placeholder(data[begin:end], kind, salt)
        line += data.count(b"\n", last, begin)
        last = begin
        spans.append((begin, end))
        texts.append(text.encode())
        told.append(Secret(line, kind, text))
    return (replaced(data, spans, texts) if anonymize else Redacted(data)), tuple(told)


def warm() -> None:
    """Load the rules: 0.3 s where they were compiled before, 4 s the first time on a machine."""
    _scanner()


@cache
def _scanner() -> Any:  # made when it is first needed, once in each process
    from kingfisher_sdk import Rules, Scanner  # noqa: PLC0415  # it takes 35 MB

    return Scanner(Rules([_OWN]), base64=False)


def _found(data: bytes) -> list[tuple[int, int, str]]:
    """Spans and kinds, in order, apart from each other."""
    raw = sorted(_spans(data), key=lambda each: (each[0], -each[1]))
    merged: list[tuple[int, int, str, bool]] = []
    for begin, end, kind, own in raw:
        if merged and begin < merged[-1][1]:
            first, stop, name, guessed = merged[-1]
            # The kept rules know what it is; ours only guess from the name beside it.
            merged[-1] = (first, max(stop, end), kind if guessed and not own else name, guessed and own)
        else:
            merged.append((begin, end, kind, own))
    return [(begin, end, kind) for begin, end, kind, _ in merged]


def _spans(data: bytes) -> Iterator[tuple[int, int, str, bool]]:
    values: dict[bytes, tuple[str, bool]] = {}
    for finding in _scanner().scan(data):
        if not finding.visible and finding.rule_id not in _HELPERS:
            continue
        place = finding.location
        begin, end = place["start_offset"], place["end_offset"]
        family, _, name = finding.rule_id.rpartition(".")
        own = family == "custom"
        value = data[begin:end]
        text = value.decode("utf-8", "replace")
        if name in _ADDRESSES:
            if _is_example_address(text, data[end : end + 80].decode("utf-8", "replace")):
                continue
        elif is_example(text, guessed=own and name not in _CERTAIN):
            continue
        kind = _KINDS.get(name, name.rpartition("/")[2])
        yield begin, end, kind, own
        if len(value) >= _SHORTEST_EVERYWHERE and not (own and values.get(value, ("", True))[1] is False):
            values[value] = (kind, own)
    for value, (kind, own) in values.items():
        at = data.find(value)
        while at >= 0:
            yield at, at + len(value), kind, own
            at = data.find(value, at + len(value))


def is_example(value: str, *, guessed: bool) -> bool:
    """Whether that is no secret but an example, a reference to one, or an identifier.

    Args:
        guessed: only the name beside it said that it is a secret, so it must look like one.
    """
    if value.startswith("-----BEGIN"):
        return _KEY.search(value) is None
    if _EXAMPLE.fullmatch(value):
        return True
    if not guessed:
        return value.lower() in _WELL_KNOWN
    if _HEX.fullmatch(value):
        return False
    if any(each.fullmatch(value) for each in (_SEQUENCE, _UUID, _INTEGRITY, _REFERENCE, _WORDS)):
        return True
    classes = sum(1 for each in _MIXED if each.search(value))
    return classes < 2 or len(set(value)) < 6


def _is_example_address(value: str, after: str) -> bool:
    """Whether credentials in an address are nobody's: a well-known password, or no host.

    Args:
        value: the password, or the address up to it.
        after: what follows: the host.
    """
    before, _, password = value.rpartition(":")
    user = before.rpartition("/")[2]
    return bool(
        password.lower() in _WELL_KNOWN
        or password == user
        or _PLACES.match(after)
        or _EXAMPLE.fullmatch(password)
        or len(password) < _SHORTEST_IN_ADDRESS
    )


def _placeholder(value: bytes, kind: str, salt: bytes) -> str:
    return f"{_MARK}{kind}:{hmac.new(salt, value, hashlib.sha256).hexdigest()[:8]}]"
