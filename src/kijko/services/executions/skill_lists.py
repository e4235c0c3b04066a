"""What hangs on a skill."""

from uuid import UUID

from kijko.core.tenancy import OrgReader
from kijko.services.executions import skill_queries as queries
from kijko.services.skills.errors import SkillNotFound


async def of_skill(reader: OrgReader, skill_id: UUID, limit: int, offset: int) -> bytes:
    """The ExecutionSlice as JSON: a skill's runs that the caller may see, newest first.

    Raises:
        SkillNotFound: there is no such skill.
    """
    found = await queries.slice_of(reader, skill_id, limit, offset)
    if found is None:
        raise SkillNotFound
    return found


async def full_skill(reader: OrgReader, skill_id: UUID) -> bytes:
    """The SkillWithRelations as JSON: with habits, reflexes and the ten newest executions.

    Raises:
        SkillNotFound: there is no such skill.
    """
    found = await queries.full(reader, skill_id)
    if found is None:
        raise SkillNotFound
    return found
