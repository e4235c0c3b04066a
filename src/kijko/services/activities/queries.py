"""The statement that empties the queue of activities."""

from kijko.core.db import Scalar
from kijko.core.tenancy import SystemReader

_TELL = Scalar(list[str], "select kijko.tell_activities($1::integer)", writes=True)


async def tell(reader: SystemReader, most: int) -> list[str]:
    """Tells at most so many activities, the oldest first; the rooms in which something is new."""
    return await reader.one(_TELL, most)
