"""Words of code: what of a text is counted, when it is indexed and when it is asked for.

`parseConfig`, `parse_config` and `ParseConfig` become the same: their stemmed parts `pars` and `config`, and the whole
name as one word, `parseconfig`. A definition's own name is a further term with a `=` before it.
"""

import re
from functools import lru_cache
from typing import Final

from kijko.services.search.stems import stem

NAMED: Final = "="
"""What stands before a term that is the name of a definition: `=parseconfig`."""
LONGEST: Final = 64
"""Characters of a term. What is longer is no word (a key, a hash, encoded bytes), though its parts may be."""

_TOKEN: Final = re.compile(r"\w+")
# A capital that begins a word, an abbreviation (with its plural), a word, digits. Letters of other alphabets are words.
_PART: Final = re.compile(r"[A-Z]{2,}s(?![^\W\d_A-Z])|[A-Z]+(?![^\W\d_A-Z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]|\d+")
# Scripts that put no space between words: every two neighbours are a word.
_UNSPACED: Final = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_NO_TOKEN: Final = 200


def tokens(text: str) -> list[str]:
    """Identifiers, words and numbers, as they are written."""
    return _TOKEN.findall(text)


def parts(token: str) -> list[str]:
    """The words of an identifier, in lower case: `parseHTTPConfig2` has parse, http, config and 2."""
    return [part.lower() for part in _PART.findall(token)]


def whole(token: str) -> str:
    """An identifier as one word, the same in every casing: `Parse-Config` is `parseconfig`."""
    return "".join(_TOKEN.findall(token)).replace("_", "").lower()


@lru_cache(maxsize=8_000)  # in each process that reads: some megabytes
def expanded(token: str) -> tuple[str, ...]:
    """The terms of one token: its parts, stemmed, and where there are several the whole too."""
    if len(token) > _NO_TOKEN:
        return ()
    if _UNSPACED.search(token):
        return tuple(token[at : at + 2] for at in range(max(1, len(token) - 1)))
    if token.isascii() and token.isalpha() and (token.islower() or token.istitle()):  # one word, as most are
        return (stem(token.lower()),) if len(token) <= LONGEST else ()
    words = parts(token)
    found = [stem(word) for word in words if len(word) <= LONGEST]
    if len(words) > 1 and len(one := whole(token)) <= LONGEST:
        found.append(one)
    return tuple(found)
