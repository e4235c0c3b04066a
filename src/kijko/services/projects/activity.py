"""Who was active in which project, gathered in memory and written down every few seconds: reading writes nothing."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from kijko.core.db import Scalar
from kijko.core.gathering import Gathering
from kijko.core.tenancy import Tenants

_EVERY_S: Final = 5.0
_KNOWN_S: Final = 300.0
"""As kijko.note_activity has it: for so long nothing new is written about a member."""
_NOTE = Scalar(bool, "select kijko.note_activity($1::uuid[], $2::uuid[]) is null", writes=True)
Pair = tuple[UUID, str]


class Activity(Gathering[Pair]):
    """One process's."""

    def __init__(self, database: Tenants) -> None:
        super().__init__("who was active where", self._note, every_s=_EVERY_S, known_s=_KNOWN_S)
        self._database = database

    def note(self, person: UUID, project: str) -> None:
        """That person did, or read, something in the project of that id just now."""
        self.see((person, project))

    async def _note(self, pairs: Collection[Pair]) -> None:
        persons, projects = zip(*pairs, strict=True)
        await self._database.gate_reader().one(_NOTE, list(persons), [UUID(each) for each in projects])
