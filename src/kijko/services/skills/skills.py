"""Making, reading and listing skills."""

from uuid import UUID

from kijko.clients import llm
from kijko.core.db import Jsonb
from kijko.core.db.errors import ConstraintViolation
from kijko.core.tenancy import OrgReader, OrgTx
from kijko.models.skills import CreateSkillRequest, SkillContext
from kijko.services.skills import queries
from kijko.services.skills.errors import ContextNotFound, SkillNameExists, SkillNotFound, UnknownModel


async def create(tx: OrgTx, body: CreateSkillRequest, *, default_model: str) -> bytes:
    """Makes a skill and its version 1; answers the Skill as JSON.

    Raises:
        UnknownModel: no provider has that model. SkillNameExists: the caller has one of that name.
        ContextNotFound: the context names a project that the caller may not read.
    """
    model = body.model or default_model
    if llm.provider_of(model) is None:
        raise UnknownModel(
            f"No model is called {model!r}. Use the name that Anthropic, Google or OpenAI gives it, or echo.",
            field="model",
        )
    context = await checked_context(tx, body.context)
    schema = (
        [entry.model_dump(mode="json", by_alias=True, exclude_unset=True) for entry in body.input_schema]
        if body.input_schema is not None
        else None
    )
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


async def checked_context(tx: OrgTx, context: SkillContext | None) -> Jsonb | None:
    """The context as it is kept.

    Raises:
        ContextNotFound: it names a project that the caller may not read.
    """
    if context is None:
        return None
    if context.project_id is not None and not await queries.may_read_project(tx, context.project_id):
        raise ContextNotFound(field="context.projectId")
    return Jsonb(context.model_dump(mode="json", by_alias=True, exclude_none=True))


async def get(reader: OrgReader, skill_id: UUID) -> bytes:
    """The Skill as JSON.

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
