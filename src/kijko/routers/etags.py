"""ETags of what is saved again and again, and If-Match, by which nobody overwrites what they have not seen.

The tag is of the save, not of the bytes: counts that a run changes do not change it. So there is no If-None-Match here.
"""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Final

from fastapi import Header, Response
from pydantic import Field

from kijko.routers.answers import JsonBytes

_TAG: Final = re.compile(r'(W/)?("[^"]*")')

IfMatch = Annotated[
    list[Annotated[str, Field(max_length=4096)]] | None,
    Header(
        alias="If-Match",
        max_length=10,
        description="The ETag that your change is made to, or several: where none is that of now, the answer is 412. "
        "`*` is any.",
    ),
]
"""Its lines: several are one list (RFC 9110, 5.3)."""


def etag(revision: int) -> str:
    """The tag of a revision, as it stands in the header."""
    return f'"{revision}"'


def tagged(body: bytes, revision: int, status_code: int = 200) -> Response:
    """JSON with its ETag."""
    return JsonBytes(body, status_code=status_code, headers={"ETag": etag(revision)})


def matching(lines: Sequence[str] | None) -> Callable[[int], bool] | None:
    """Whether a revision is one that If-Match names, in any of its lines; None without the header.

    Weak tags match nothing (RFC 9110, 13.1.1), what is no tag names none, and `*` is any where it stands alone.
    """
    if lines is None:
        return None
    header = ",".join(lines)
    if {member.strip() for member in header.split(",")} - {""} == {"*"}:
        return lambda _: True
    named = {tag for weak, tag in _TAG.findall(header) if not weak}
    return lambda revision: etag(revision) in named
