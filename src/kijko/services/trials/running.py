"""Running a trial: no transaction is open while the model is asked; what it used is kept before the answer leaves."""

import asyncio
import time
from typing import Final
from uuid import UUID

import structlog

from kijko.clients import llm
from kijko.core.db.errors import DatabaseError
from kijko.core.tenancy import OrgTx, Principal, Tenants
from kijko.core.turns import Turns
from kijko.models.enums import ExecutionErrorCode, ExecutionStatus
from kijko.models.executions import ExecuteSkillResponse as Answer
from kijko.services import search
from kijko.services.executions import binding, rules
from kijko.services.executions.room import Room
from kijko.services.projects.errors import ProjectNotFound
from kijko.services.trials import queries
from kijko.services.trials.checking import Wanted
from kijko.services.trials.queries import Begun, Use
from kijko.settings import Settings

_AT_ONCE: Final = 20
_BUSY: Final = "You have 20 trials under way. Wait until one of them has ended, then send this one."
_SLACK_S: Final = 60.0
"""What comes after the deadline of one that lives: keeping what it used."""
_WAITS_S: Final = (0.2, 1.0, 4.0)
_NO_PROJECT: Final = "The project that {{context}} stands for is gone, or is not one that you may read any more."
_STOPPED: Final = "The server was stopped meanwhile. Try again."
_log = structlog.get_logger(__name__)


class Trials:
    """What one process of the API has under way."""

    def __init__(self, database: Tenants, models: llm.Models, questions: search.Questions, settings: Settings) -> None:
        self._database = database
        self._models = models
        self._questions = questions
        self._room = Room(settings.worker.held_characters)
        self._most_s = min(settings.models.trial_timeout_s, settings.models.timeout_s)
        self.turns = Turns("trials_at_once", _AT_ONCE, _BUSY)
        """Each person has so many under way: take one around `begin` and `run`."""

    async def begin(self, tx: OrgTx, trial_id: UUID) -> Begun:
        """Takes its quota.

        Raises:
            QuotaExceeded: the plan's oracle queries are used up.
        """
        return await queries.begin(tx, trial_id, self._most_s + _SLACK_S)

    async def run(self, principal: Principal, organization_id: UUID, trial_id: UUID, wanted: Wanted) -> Answer:
        """Runs it once, and accounts for it. A model that fails is an answer too, with the reason."""
        began = time.perf_counter()
        attempt = _Attempt(wanted)
        answer: llm.ModelAnswer | None = None
        failure: llm.ModelFailure | None = None
        try:
            provider = await self._provider(organization_id, attempt)
            async with asyncio.timeout(self._most_s):
                answer = await self._ask(principal, trial_id, attempt, provider)
        except asyncio.CancelledError:  # the API stops: what was used is kept all the same
            stopped = llm.ModelFailure(ExecutionErrorCode.INTERNAL, _STOPPED, ran=attempt.progress.asked)
            ms = round((time.perf_counter() - began) * 1000)
            await asyncio.shield(self._keep(trial_id, wanted.skill_id, await attempt.failed(stopped, ms)))
            raise
        except Exception as error:
            failure = self._failure(error, trial_id, asked=attempt.progress.asked)
        finally:
            await self._room.give_back(trial_id)
        ms = round((time.perf_counter() - began) * 1000)
        if failure is not None:
            await self._keep(trial_id, wanted.skill_id, await attempt.failed(failure, ms))
            said = rules.storable(failure.detail)
            return Answer(execution_id=trial_id, status=ExecutionStatus.FAILED, duration_ms=ms, error=said)
        assert answer is not None  # noqa: S101  # without a failure there is one
        await self._keep(trial_id, wanted.skill_id, attempt.used(ExecutionStatus.COMPLETED, answer, ms))
        return Answer(
            execution_id=trial_id,
            status=ExecutionStatus.COMPLETED,
            output=rules.storable(answer.text),
            tokens_used=answer.prompt_tokens + answer.completion_tokens,
            duration_ms=ms,
        )

    async def _provider(self, organization_id: UUID, attempt: "_Attempt") -> llm.Provider:
        """Its first time takes seconds, which are not the trial's."""
        model = attempt.wanted.model
        await asyncio.to_thread(llm.provider_of, model)  # not on the event loop, that first time
        provider = await self._models.prepare(model, organization_id)
        attempt.own_key = self._models.is_own(provider)
        return provider

    async def _ask(
        self, principal: Principal, trial_id: UUID, attempt: "_Attempt", provider: llm.Provider
    ) -> llm.ModelAnswer:
        wanted, context, found = attempt.wanted, attempt.wanted.context, ""
        await self._room.take(trial_id, rules.length(wanted.template, wanted.given) + binding.largest(context))
        if context is not None and context.project_id is not None:
            query = rules.context_query(context.query, wanted.template, wanted.given)
            reader = self._database.reader(principal)
            most = context.max_tokens or binding.DEFAULT_TOKENS
            told = await search.own_context(reader, self._questions, context.project_id, query, most)
            found, attempt.cited = told.text, context.project_id if told.citations else None
        prompt = rules.render(wanted.template, wanted.given, context=found)
        attempt.call = llm.ModelCall(wanted.model, prompt, wanted.parameters, wanted.given, wanted.system or None)
        return await provider.run(attempt.call, attempt.progress)

    def _failure(self, error: Exception, trial_id: UUID, *, asked: bool) -> llm.ModelFailure:
        match error:
            case llm.ModelFailure():
                return error
            case TimeoutError():
                late = f"The trial took longer than the {self._most_s:g} s allowed. Ask for less, or run the skill."
                return llm.ModelFailure(ExecutionErrorCode.TIMEOUT, late, ran=asked)
            case rules.PromptTooLong():
                return llm.ModelFailure(ExecutionErrorCode.CONTEXT_TOO_LONG, str(error), ran=False)
            case ProjectNotFound():
                return llm.ModelFailure(ExecutionErrorCode.PROJECT_NOT_FOUND, _NO_PROJECT, ran=False)
        _log.error("trial.broke", trial_id=str(trial_id), exc_info=error)
        said = "Something went wrong on our side. It was logged; please try again."
        return llm.ModelFailure(ExecutionErrorCode.INTERNAL, said, ran=asked)

    async def _keep(self, trial_id: UUID, skill_id: UUID | None, use: Use) -> None:
        """Accounts for it; while the database is away it is tried again, since what ran was paid for."""
        for wait_s in (*_WAITS_S, None):
            try:
                in_time = await queries.end(self._database.gate_reader(), trial_id, skill_id, use)
            except DatabaseError as error:
                _log.warning("trial.unkept", trial_id=str(trial_id), cost_cents=str(use.cost_cents), error=str(error))
                if wait_s is None:
                    raise
                await asyncio.sleep(wait_s)
            else:
                if not in_time:
                    _log.warning("trial.late", trial_id=str(trial_id))
                return


class _Attempt:
    """What has come of a trial so far."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.progress = llm.Progress()
        self.call: llm.ModelCall | None = None
        self.own_key: bool | None = None
        self.cited: UUID | None = None
        """The project whose code the prompt holds."""

    def used(self, outcome: ExecutionStatus, answer: llm.ModelAnswer, ms: int) -> Use:
        """What a model has used for it."""
        return Use(
            ran=True,
            outcome=outcome,
            duration_ms=ms,
            provider=answer.provider,
            model=rules.storable(answer.model),
            prompt_tokens=answer.prompt_tokens,
            cache_read_tokens=answer.cache_read_tokens,
            cache_write_tokens=answer.cache_write_tokens,
            completion_tokens=answer.completion_tokens,
            cost_cents=llm.cost_cents(answer),
            cited_project_id=self.cited,
            estimated=answer.estimated,
            own_key=self.own_key,
        )

    async def failed(self, failure: llm.ModelFailure, ms: int) -> Use:
        """What was used until it failed, as far as it is known; nothing where no model ran."""
        if failure.ran and self.call is not None:
            answer = await asyncio.to_thread(
                self.progress.used, self.call
            )  # what was not told is counted: it may be long
            if answer is not None:
                return self.used(ExecutionStatus.FAILED, answer, ms)
        return Use(ran=failure.ran, outcome=ExecutionStatus.FAILED, duration_ms=ms, cited_project_id=self.cited)
