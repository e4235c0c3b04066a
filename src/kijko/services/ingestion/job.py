"""One ingestion that this worker holds: what everything that works on it is given."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from kijko.clients.chunker import Hook
from kijko.clients.forges import Forges
from kijko.clients.git import Capped, Git
from kijko.clients.storage import Storage
from kijko.core.crew import Crew
from kijko.core.crypto import Box
from kijko.core.db import Jsonb
from kijko.core.notices import Notices
from kijko.core.tenancy import SystemReader, Tenants
from kijko.models.enums import IngestionPhase
from kijko.services import events
from kijko.services.ingestion import work_queries as queries
from kijko.services.ingestion.parts import Source, Wishes
from kijko.services.ingestion.standing import Progress
from kijko.services.ingestion.workspace import Workspace
from kijko.settings import Settings

_WHY: Final = "an ingestion that this worker holds"
_TELL_S: Final = 0.3
_WAITING: Final = 10


class LeaseLost(Exception):
    """The ingestion was cancelled or taken away: whatever is being done for it is for nothing."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a worker has for all of its ingestions."""

    worker: UUID
    database: Tenants
    notices: Notices
    git: Git
    storage: Storage
    forges: Forges
    box: Box
    crew: Crew
    workspace: Workspace
    settings: Settings


@dataclass(slots=True)
class Job:
    """One ingestion under way."""

    desk: Desk
    claimed: queries.Claimed
    progress: Progress
    renewed: float = field(default_factory=time.monotonic)
    """When its lease was last known to stand."""
    wishes: Wishes | None = None
    project: queries.Project | None = None
    sources: Sequence[Source] = ()
    commits: list[dict[str, Any]] = field(default_factory=list)  # the wire's IngestedCommit
    _told: object = None
    _telling: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def reader(self) -> SystemReader:
        """Single statements for it."""
        return self.desk.database.system_reader(_WHY)

    @property
    def wanted(self) -> Wishes:
        """How its project wants to be read; known from its beginning on."""
        assert self.wishes is not None  # noqa: S101  # set before any phase begins
        return self.wishes

    @property
    def caps(self) -> Capped:
        """Of what is read from its repositories."""
        return Capped.of(self.desk.settings.git)

    @property
    def abreast(self) -> int:
        """How many of its batches are worked on at once."""
        return self.desk.settings.ingestion.processes if self.wanted.parallel else 1

    @property
    def file_s(self) -> float:
        """How long a process may work without getting on: on one file, or while it waits for the project's webhook."""
        hook = self.wanted.hook
        return self.desk.settings.ingestion.file_s + (_WAITING * hook.timeout_s if hook is not None else 0)

    def folder(self, repository_id: UUID) -> Path:
        """Where a repository is kept."""
        return self.desk.workspace.folder(repository_id, history=self.wanted.history)

    def check(self) -> None:
        """Nothing, while the lease cannot have run out. Raises LeaseLost."""
        if time.monotonic() - self.renewed > self.desk.settings.ingestion.lease_s:
            raise LeaseLost

    async def enter(self, phase: IngestionPhase, message: str) -> None:
        """The phase begins, and that is told. Raises LeaseLost."""
        self.progress.enter(phase, message)
        await self.tell()

    async def tell(self) -> None:
        """Writes where it stands, when that has changed since. Raises LeaseLost."""
        async with self._telling:  # one after another: what is told later is written later
            await self._tell()

    async def _tell(self) -> None:
        now = self.progress
        standing = (now.phase, now.percent, now.message, dict(now.metrics))
        if standing == self._told:
            return
        self._told = standing
        moved = await queries.move(
            self.reader,
            self.claimed,
            self.desk.worker,
            phase=now.phase,
            progress=now.percent,
            message=now.message,
            metrics=Jsonb(now.metrics),
            left_s=now.left_s,
        )
        self.kept(moved)
        await events.told(self.desk.notices, [events.project_room(self.claimed.project_id)])

    def kept(self, done: bool) -> None:  # what a statement answered
        """Nothing, where what was written was taken. Raises LeaseLost."""
        if not done:
            raise LeaseLost

    async def tell_on(self) -> None:
        """Tells progress as it happens, until it is cancelled."""
        while True:
            await asyncio.sleep(_TELL_S)
            await self.tell()


def wishes_of(project: queries.Project, salt: bytes, hook: Hook | None = None) -> Wishes:
    """How a project wants to be read."""
    settings: Mapping[str, Any] = project.settings
    options = {
        "functionSignatures": True, "importDependencies": True, "gitHistory": False, "fileStructure": True,
        "customAnnotations": False,
    } | (settings.get("metadataOptions") or {})  # fmt: skip
    patterns = settings.get("patternFilters") or {}

    def on(name: str) -> bool:
        return project.include_metadata and bool(options[name])

    processing = settings.get("processingOptions") or {}
    return Wishes(
        strategy=project.chunking_strategy,
        signatures=on("functionSignatures"),
        imports=on("importDependencies"),
        structure=on("fileStructure"),
        annotations=on("customAnnotations"),
        anonymize_secrets=project.anonymize_secrets,
        salt=salt,
        include=tuple(patterns.get("languagePatterns") or ()),
        exclude=tuple(patterns.get("excludePatterns") or ()),
        history=on("gitHistory"),
        hook=hook,
        parallel=processing.get("parallelProcessing", True) is not False,
    )
