"""One run: render the prompt, call the model, say how it ended. No transaction is open here."""

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID

import structlog

from kijko.clients import llm
from kijko.core.tenancy import Tenants
from kijko.models.enums import ExecutionErrorCode, ExecutionStatus
from kijko.services.executions import binding, rules
from kijko.services.executions.binding import NOTHING, Bound
from kijko.services.executions.room import Room
from kijko.services.executions.work_queries import Claimed, Ending
from kijko.services.projects.errors import ProjectNotFound
from kijko.services.search import Questions

_log = structlog.get_logger(__name__)
_NO_PROJECT = (
    "The project that {{context}} stands for is gone, or is not one that you may read any more. Choose another one in "
    "the skill, or ask one of its admins."
)


@dataclass(frozen=True, slots=True)
class Again:
    """The attempt failed in a way that may pass; the next one is to begin after the delay."""

    id: UUID
    user_id: UUID
    attempts: int
    delay_s: float
    ran: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over. `ran` says whether a model worked for it, which is what a quota counts."""

    ending: Ending
    user_id: UUID
    ran: bool


async def run(
    models: llm.Models,
    database: Tenants,
    questions: Questions,
    claimed: Claimed,
    *,
    room: Room,
    max_attempts: int,
    timeout_s: float,
) -> Ended | Again:
    """Runs one claimed execution to its end or to its next attempt. Whatever goes wrong becomes an ending.

    `room` is taken before the prompt is made; whoever keeps the outcome gives it back.
    """
    began, prompt, bound = time.perf_counter(), "", NOTHING
    try:
        context = binding.wanted(claimed)
        size = rules.length(claimed.prompt_template, claimed.input) + binding.largest(context)
        await room.take(claimed.id, size)
        bound = await binding.bind(database, questions, claimed, context)
        prompt = rules.render(claimed.prompt_template, claimed.input, context=bound.text)
        call = llm.ModelCall(claimed.model, prompt, claimed.parameters, claimed.input)
        # Its first time takes seconds, which are not the call's.
        provider = await models.prepare(call.model, claimed.organization_id)
        async with asyncio.timeout(timeout_s):
            answer = await provider.run(call)
    except TimeoutError:
        late = f"The run took longer than the {timeout_s:g} s allowed. Ask for less."
        failure = llm.ModelFailure(ExecutionErrorCode.TIMEOUT, late, ran=True)
    except rules.PromptTooLong as error:
        failure = llm.ModelFailure(ExecutionErrorCode.CONTEXT_TOO_LONG, str(error), ran=False)
    except ProjectNotFound:
        failure = llm.ModelFailure(ExecutionErrorCode.PROJECT_NOT_FOUND, _NO_PROJECT, ran=False)
    except llm.ModelFailure as error:
        failure = error
    except Exception:
        _log.exception("execution.broke", execution_id=str(claimed.id), request_id=claimed.request_id)
        failure = llm.ModelFailure(
            ExecutionErrorCode.INTERNAL, "Something went wrong on our side. It was logged; please try again.", ran=False
        )
    else:
        return Ended(_completed(claimed, prompt, bound, answer, _ms(began)), claimed.user_id, ran=True)
    delay = rules.retry_delay_s(failure.code, claimed.attempts, most=max_attempts, asked_s=failure.retry_after_s)
    if delay is not None:
        return Again(claimed.id, claimed.user_id, claimed.attempts, delay, failure.ran)
    return Ended(
        _failed(claimed, prompt, bound, failure, _ms(began)), claimed.user_id, ran=claimed.model_ran or failure.ran
    )


def _ms(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)


def _completed(claimed: Claimed, prompt: str, bound: Bound, answer: llm.ModelAnswer, duration_ms: int) -> Ending:
    return Ending(
        id=claimed.id,
        attempts=claimed.attempts,
        status=ExecutionStatus.COMPLETED,
        output=rules.storable(answer.text),
        rendered_prompt=rules.storable(prompt),
        cited_project_id=bound.project_id,
        citations=bound.citations,
        model=answer.model,
        provider=answer.provider,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        cache_read_tokens=answer.cache_read_tokens,
        cache_write_tokens=answer.cache_write_tokens,
        cost_cents=llm.cost_cents(answer),
        duration_ms=duration_ms,
        error_code=None,
        error_message=None,
        request_id=claimed.request_id,
    )


def _failed(claimed: Claimed, prompt: str, bound: Bound, failure: llm.ModelFailure, duration_ms: int) -> Ending:
    return Ending(
        id=claimed.id,
        attempts=claimed.attempts,
        status=ExecutionStatus.FAILED,
        output=None,
        rendered_prompt=rules.storable(prompt),
        cited_project_id=bound.project_id,
        citations=bound.citations,
        model=None,
        provider=llm.provider_of(claimed.model),
        prompt_tokens=None,
        completion_tokens=None,
        cache_read_tokens=None,
        cache_write_tokens=None,
        cost_cents=None,
        duration_ms=duration_ms,
        error_code=failure.code,
        error_message=rules.storable(failure.detail),
        request_id=claimed.request_id,
    )
