"""Making, reading and listing skills."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from kijko.clients import llm
from kijko.core.db import Jsonb
from kijko.core.db.errors import ConstraintViolation
from kijko.core.tenancy import OrgReader, OrgTx
from kijko.models.skills import CreateSkillRequest, InputSchemaField, SkillContext
from kijko.services.skills import queries
from kijko.services.skills.errors import ContextNotFound, SkillNameExists, SkillNotFound, UnknownModel
from kijko.services.skills.queries import Kept


async def create(tx: OrgTx, body: CreateSkillRequest, *, default_model: str) -> Kept:
    """Makes a skill and its version 1.

    Raises:
        UnknownModel: no provider has that model. SkillNameExists: the caller has one of that name.
        ContextNotFound: the context names a project that the caller may not read.
    """
    model = await known_model(body.model or default_model)
    context = await checked_context(tx, body.context)
    schema = schema_of(body.input_schema)
    try:
        return await queries.insert(
            tx,
            name=body.name,
            description=body.description,
            category=body.category,
            prompt_template=body.prompt_template,
            model=model,
            parameters=Jsonb(body.parameters.model_dump(mode="json", exclude_none=True)),
            input_schema=Jsonb(schema) if schema is not None else None,
            output_format=body.output_format,
            context=context,
            is_active=body.is_active,
        )
    except ConstraintViolation as error:
        if error.name == "skills_name_key":
            raise SkillNameExists(field="name") from error
        raise


async def known_model(model: str) -> str:
    """The model's name.

    Raises:
        UnknownModel: no provider has it.
    """
    # The price list takes a quarter of a second when it is first looked at: not the event loop's.
    if await asyncio.to_thread(llm.provider_of, model) is None:
        raise UnknownModel(
            f"No model is called {model!r}. Use the name that Anthropic, Google or OpenAI gives it, or echo; "
            "GET /models lists them.",
            field="model",
        )
    return model


def schema_of(given: Sequence[InputSchemaField] | None) -> list[dict[str, Any]] | None:
    """An input schema as it is kept: what was not given is not there."""
    if given is None:
        return None
    return [entry.model_dump(mode="json", by_alias=True, exclude_unset=True) for entry in given]


async def checked_context(tx: OrgTx, context: SkillContext | None) -> Jsonb | None:
    """The context as it is kept.

    Raises:
        ContextNotFound: it names a project that the caller may not read.
    """
    if context is None:
        return None
    if context.project_id is not None and not await queries.may_read_project(tx, context.project_id):
        raise ContextNotFound(field="context.projectId")
    return Jsonb(context_of(context))


def context_of(context: SkillContext | None) -> dict[str, Any] | None:
    """A context as it is kept."""
    return None if context is None else context.model_dump(mode="json", by_alias=True, exclude_none=True)


async def get(reader: OrgReader | OrgTx, skill_id: UUID) -> Kept:
    """A skill, with the revision that its ETag is made of.

    Raises:
        SkillNotFound: the organization has none with that id.
    """
    found = await queries.get(reader, skill_id)
    if found is None:
        raise SkillNotFound
    return found


async def list_page(
    reader: OrgReader,
    *,
    category: str | None,
    is_active: bool | None,
    search: str | None,
    page: int,
    page_size: int,
) -> bytes:
    """A SkillPage as JSON, last updated first; `search` looks for a text in name and description, ignoring case."""
    return await queries.list_page(
        reader, category=category, is_active=is_active, search=search, page=page, page_size=page_size
    )
