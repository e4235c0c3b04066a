"""The worker's look at an organization's own key, at each run: so a new or deleted one counts from the next run on.

Runs that begin at the same time share one statement.
"""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog

from kijko.clients.llm import ModelFailure, OwnKey
from kijko.core.crypto import Unreadable
from kijko.core.db.errors import DatabaseUnavailable
from kijko.core.envelope import Masters, Sealed
from kijko.core.tenancy import Tenants
from kijko.models.enums import ExecutionErrorCode
from kijko.services.model_keys import queries, rules

_log = structlog.get_logger(__name__)
_REASON: Final = "an organization's own model key, for its runs"
_AGAIN_S: Final = (0.1, 0.5, 2.0, 5.0)
Pair = tuple[UUID, str]


class OwnKeys:
    """Of one process: `await keys(organization_id, provider)`."""

    def __init__(self, database: Tenants, masters: Masters, *, of_trials: bool = False) -> None:
        """`of_trials`: in the API, which may look only for organizations that have a trial under way."""
        self._database = database
        self._masters = masters
        self._of_trials = of_trials
        self._next: asyncio.Task[dict[Pair, queries.Kept]] | None = None
        self._asked: set[Pair] = set()

    async def __call__(self, organization_id: UUID, provider: str) -> OwnKey | None:
        """The key, or None where the organization has none there.

        Raises:
            ModelFailure: it cannot be read. The server's own is not used then: it would be paid for by somebody else.
        """
        found = (await self._kept((organization_id, provider))).get((organization_id, provider))
        if found is None:
            return None
        try:
            secret = self._opened(found)
        except Unreadable as error:
            _log.error("model_key.unreadable", organization=str(organization_id), provider=provider, why=str(error))
            raise ModelFailure(
                ExecutionErrorCode.PROVIDER_AUTH,
                f"Your organization's own key for {provider} cannot be read. An owner or admin sets it anew.",
                ran=False,
            ) from None
        return OwnKey(found.version, secret)

    async def _kept(self, pair: Pair) -> dict[Pair, queries.Kept]:
        self._asked.add(pair)
        if self._next is None:
            self._next = asyncio.create_task(self._look())
        return await asyncio.shield(self._next)

    async def _look(self) -> dict[Pair, queries.Kept]:
        await asyncio.sleep(0)  # for the others of this turn of the loop
        asked, self._asked, self._next = sorted(self._asked), set(), None
        rows = await self._rows([one for one, _ in asked], [provider for _, provider in asked])
        return {(row.organization_id, row.provider): row for row in rows}

    async def _rows(self, organizations: Sequence[UUID], providers: Sequence[str]) -> Sequence[queries.Kept]:
        """Postgres may restart meanwhile: a run does not fail for that."""
        for delay_s in _AGAIN_S:
            try:
                return await self._read(organizations, providers)
            except DatabaseUnavailable:
                await asyncio.sleep(delay_s)
        return await self._read(organizations, providers)

    async def _read(self, organizations: Sequence[UUID], providers: Sequence[str]) -> Sequence[queries.Kept]:
        if self._of_trials:
            return await queries.of_trials(self._database.gate_reader(), organizations, providers)
        return await queries.of(self._database.system_reader(_REASON), organizations, providers)

    def _opened(self, found: queries.Kept) -> str:
        sealed = Sealed(found.master_id, found.wrapped_key, found.sealed_key)
        return self._masters.open(sealed, rules.bound(found.organization_id, found.provider)).decode()
