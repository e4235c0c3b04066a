"""What a trial would run, looked at before anything is taken for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from kijko.core.tenancy import OrgTx
from kijko.models.skills import SkillContext
from kijko.models.trials import TestSkillRequest
from kijko.services import skills
from kijko.services.executions import rules


@dataclass(frozen=True, slots=True)
class Wanted:
    """A prompt that may be run."""

    template: str
    model: str
    parameters: Mapping[str, Any]  # SkillParameters as JSON
    given: Mapping[str, Any]
    """The input as JSON, with the schema's defaults."""
    system: str | None = None
    context: SkillContext | None = None
    """What {{context}} stands for; None where the prompt has no place for it."""
    skill_id: UUID | None = None


async def check_prompt(body: TestSkillRequest, *, default_model: str) -> Wanted:
    """A prompt of no skill's. {{context}} is empty in it.

    Raises:
        UnknownModel: no provider has that model. InvalidInput: the prompt uses an input that is not given.
    """
    model = body.model or default_model
    await skills.known_model(model)
    return Wanted(
        template=body.prompt_template,
        model=model,
        parameters=body.parameters.model_dump(mode="json", exclude_none=True) if body.parameters else {},
        given=rules.bind_input(body.prompt_template, None, body.input or {}),
        system=body.system_prompt,
    )


async def check_skill(tx: OrgTx, skill_id: UUID, given: Mapping[str, Any] | None) -> Wanted:
    """A skill's newest version, active or not.

    Raises:
        SkillNotFound. InvalidInput: the input does not fit it. ContextNotFound: its context names a project that the
            caller may not read.
    """
    skill = await skills.held(tx, skill_id)
    bound = rules.bind_input(skill.prompt_template, skill.input_schema, given or {})
    context = None
    if "context" in rules.placeholders(skill.prompt_template) and "context" not in bound and skill.context is not None:
        context = SkillContext.model_validate(skill.context)
        await skills.checked_context(tx, context)
    return Wanted(
        template=skill.prompt_template,
        model=skill.model,
        parameters=skill.parameters,
        given=bound,
        context=context if context is not None and context.project_id is not None else None,
        skill_id=skill_id,
    )
