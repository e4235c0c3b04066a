"""One attempt at a run: render the prompt, call the model, say how it ended. No transaction is open here."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from kijko.clients import llm
from kijko.core.db.errors import DatabaseError
from kijko.core.tenancy import Tenants
from kijko.models.enums import ExecutionErrorCode, ExecutionStatus
from kijko.services.executions import binding, rules
from kijko.services.executions import work_queries as queries
from kijko.services.executions.binding import NOTHING
from kijko.services.executions.ending_queries import Ending
from kijko.services.executions.room import Room
from kijko.services.executions.speaking import Voice
from kijko.services.executions.work_queries import Claimed
from kijko.services.projects.errors import ProjectNotFound
from kijko.services.search import Questions

_log = structlog.get_logger(__name__)
_NO_PROJECT = (
    "The project that {{context}} stands for is gone, or is not one that you may read any more. Choose another one in "
    "the skill, or ask one of its admins."
)
_STOPPED = "The worker was stopped during this attempt. It is begun again."
_CANCELLED = "It was cancelled."
_MUCH: Final = 200_000
"""Characters whose tokens are not counted on the event loop."""


@dataclass(frozen=True, slots=True)
class Again:
    """The attempt failed in a way that may pass; the next one is to begin after the delay."""

    ending: Ending
    user_id: UUID
    organization_id: UUID
    delay_s: float
    ran: bool
    counts: bool = True
    """Whether it is one of the attempts that a run has."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over. `ran` says whether a model worked for it, which is what a quota counts."""

    ending: Ending
    user_id: UUID
    organization_id: UUID
    ran: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """How often and how long a run is tried."""

    attempts: int
    call_s: float
    """One call of a model."""
    run_s: float
    """All attempts together, with the waits between them, from the first one's begin."""


@dataclass(frozen=True, slots=True)
class With:
    """What an attempt works with. `room` is taken before its prompt is made; who keeps the outcome gives it back."""

    worker: UUID
    models: llm.Models
    database: Tenants
    questions: Questions
    room: Room
    limits: Limits


class Attempt:
    """One attempt at a claimed run, and what has come of it so far."""

    def __init__(self, claimed: Claimed, progress: llm.Progress) -> None:
        self.claimed = claimed
        self.progress = progress
        self.voice: Voice | None = None
        """Tells the text to who follows the run; none where nobody can."""
        self._began = time.perf_counter()
        self._prompt = ""
        self._bound = NOTHING
        self._call: llm.ModelCall | None = None
        self._own_key: bool | None = None

    async def run(self, given: With) -> Ended | Again:
        """To its end. Whatever goes wrong becomes an outcome; only a cancellation gets out."""
        claimed, limits = self.claimed, given.limits
        try:
            answer = await self._ask(given)
        except TimeoutError:
            failure = self._late(limits)
        except rules.PromptTooLong as error:
            failure = llm.ModelFailure(ExecutionErrorCode.CONTEXT_TOO_LONG, str(error), ran=False)
        except ProjectNotFound:
            failure = llm.ModelFailure(ExecutionErrorCode.PROJECT_NOT_FOUND, _NO_PROJECT, ran=False)
        except llm.ModelFailure as error:
            failure = error
        except Exception:
            _log.exception("execution.broke", execution_id=str(claimed.id), request_id=claimed.request_id)
            failure = llm.ModelFailure(
                ExecutionErrorCode.INTERNAL,
                "Something went wrong on our side. It was logged; please try again.",
                ran=self.progress.asked,
            )
        else:
            return self._ended(self._ending(ExecutionStatus.COMPLETED, answer), ran=True)
        return await self._failed(failure, limits)

    async def interrupted(self, *, cancelled: bool) -> Ended | Again | None:
        """What was come to when the task was cancelled: for the person, or since the worker stops. None: nothing."""
        used = await self._used()
        if cancelled:
            ending = self._ending(ExecutionStatus.CANCELLED, used, ExecutionErrorCode.CANCELLED, _CANCELLED)
            return self._ended(ending, ran=used is not None)
        if used is None:
            return None
        ending = self._ending(ExecutionStatus.FAILED, used, ExecutionErrorCode.WORKER_LOST, _STOPPED)
        return self._again(ending, 0, ran=True, counts=False)

    async def _ask(self, given: With) -> llm.ModelAnswer:
        claimed = self.claimed
        context = binding.wanted(claimed)
        size = rules.length(claimed.prompt_template, claimed.input) + binding.largest(context)
        await given.room.take(claimed.id, size)
        self._bound = await binding.bind(given.database, given.questions, claimed, context)
        if self._bound.project_id is not None:
            reader = given.database.system_reader("whose code a run was given, before it is told")
            await queries.cite(reader, given.worker, claimed.id, claimed.attempts, self._bound.project_id)
            if self.voice is not None:
                self.voice.cited = True
        self._prompt = rules.render(claimed.prompt_template, claimed.input, context=self._bound.text)
        self._call = llm.ModelCall(claimed.model, self._prompt, claimed.parameters, claimed.input)
        # Its first time takes seconds, which are not the call's.
        provider = await given.models.prepare(claimed.model, claimed.organization_id, has_own_keys=claimed.has_own_keys)
        await self._note_key(given, own_key=given.models.is_own(provider))
        async with asyncio.timeout(min(given.limits.call_s, self._left_s(given.limits))):
            return await provider.run(self._call, self.progress)

    async def _note_key(self, given: With, *, own_key: bool) -> None:
        """Whose key is used, for whoever settles the run if this worker does not. The claim noted the server's."""
        self._own_key = own_key
        if not own_key:
            return
        reader = given.database.system_reader("whose key a model is called with")
        try:
            await queries.note_own_key(reader, given.worker, self.claimed.id, self.claimed.attempts)
        except DatabaseError as error:  # then only the end says it
            _log.warning("execution.key_unnoted", execution_id=str(self.claimed.id), error=str(error))

    def _left_s(self, limits: Limits) -> float:
        return limits.run_s - self.claimed.since_s - (time.perf_counter() - self._began)

    def _late(self, limits: Limits) -> llm.ModelFailure:
        late = f"The model took longer than the {limits.call_s:g} s allowed. Ask for less, or try again."
        if self._left_s(limits) <= 0:
            late = f"The run took longer than the {limits.run_s:g} s allowed, all attempts together. Ask for less."
        return llm.ModelFailure(ExecutionErrorCode.TIMEOUT, late, ran=self.progress.asked)

    async def _failed(self, failure: llm.ModelFailure, limits: Limits) -> Ended | Again:
        claimed, used = self.claimed, await self._used() if failure.ran else None
        ending = self._ending(ExecutionStatus.FAILED, used, failure.code, failure.detail)
        delay_s = rules.retry_delay_s(
            failure.code, claimed.attempts, most=limits.attempts, asked_s=failure.retry_after_s
        )
        if delay_s is not None and delay_s < self._left_s(limits):
            return self._again(ending, delay_s, ran=failure.ran)
        return self._ended(ending, ran=failure.ran)

    def _ended(self, ending: Ending, *, ran: bool) -> Ended:
        claimed = self.claimed
        return Ended(ending, claimed.user_id, claimed.organization_id, ran=claimed.model_ran or ran)

    def _again(self, ending: Ending, delay_s: float, *, ran: bool, counts: bool = True) -> Again:
        return Again(ending, self.claimed.user_id, self.claimed.organization_id, delay_s, ran, counts)

    async def _used(self) -> llm.ModelAnswer | None:
        if self._call is None:
            return None
        if len(self._prompt) + self.progress.length > _MUCH:
            return await asyncio.to_thread(self.progress.used, self._call)
        return self.progress.used(self._call)

    def _ending(
        self,
        status: ExecutionStatus,
        used: llm.ModelAnswer | None,
        code: ExecutionErrorCode | None = None,
        message: str | None = None,
    ) -> Ending:
        claimed = self.claimed
        return Ending(
            id=claimed.id,
            attempts=claimed.attempts,
            status=status,
            output=rules.storable(used.text) if used and status == ExecutionStatus.COMPLETED else None,
            rendered_prompt=rules.storable(self._prompt),
            cited_project_id=self._bound.project_id,
            citations=self._bound.citations,
            model=rules.storable(used.model) if used else None,
            provider=used.provider if used else llm.provider_of(claimed.model),
            prompt_tokens=used.prompt_tokens if used else None,
            completion_tokens=used.completion_tokens if used else None,
            cache_read_tokens=used.cache_read_tokens if used else None,
            cache_write_tokens=used.cache_write_tokens if used else None,
            cost_cents=llm.cost_cents(used) if used else None,
            estimated=used.estimated if used else False,
            own_key=self._own_key if used else None,
            duration_ms=round((time.perf_counter() - self._began) * 1000),
            error_code=code,
            error_message=rules.storable(message) if message else None,
            request_id=claimed.request_id,
        )
