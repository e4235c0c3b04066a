"""Numbers in addresses. There is one spelling, in the digits of ASCII, so that what looks like a slip is told as one.

Python's own reading takes more: `1_0` as 10, spaces around, a plus, other scripts' digits, and 10.0 where a whole
number is asked for. Bounds stand before them, so that OpenAPI has them: `Annotated[int, Query(ge=1), WHOLE]`.
"""

import re
from typing import Any, Final

from pydantic import BeforeValidator
from pydantic_core import PydanticKnownError

_WHOLE: Final = re.compile("0|-?[1-9][0-9]*")
_DECIMAL: Final = re.compile(r"(?!-[0.]*$)-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")


def _whole(given: Any) -> Any:  # Any: pydantic's own; a text of the address
    if isinstance(given, str) and not _WHOLE.fullmatch(given):
        raise PydanticKnownError("int_parsing")
    return given


def _decimal(given: Any) -> Any:  # Any: as above
    if isinstance(given, str) and not _DECIMAL.fullmatch(given):
        raise PydanticKnownError("float_parsing")
    return given


WHOLE: Final = BeforeValidator(_whole)
"""Of an `int` in an address: `10` or `-10`."""
FRACTIONAL: Final = BeforeValidator(_decimal)
"""Of a `float` in an address, which may have a fraction: `10` or `0.5`."""
