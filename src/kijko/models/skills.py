"""Skills on the wire."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)

from kijko.models.base import (
    ABSENT_MAY_BE,
    JsonValue,
    Page,
    Part,
    Request,
    Text,
    Timestamp,
    Wire,
    absent_stays,
    composed,
    readable,
)
from kijko.models.enums import SkillCategory, SkillOutputFormat

SkillName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=2, max_length=100),
    AfterValidator(readable),
    BeforeValidator(composed),
]
PromptTemplate = Annotated[Text, StringConstraints(min_length=1, max_length=100_000)]
Description = Annotated[Text, StringConstraints(max_length=2000)]
StopSequence = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
_FIELD_NAME = r"^[A-Za-z_][A-Za-z0-9_.-]{0,99}$"
FieldName = Annotated[Text, StringConstraints(pattern=_FIELD_NAME), Field(json_schema_extra={"pattern": _FIELD_NAME})]


LARGEST_SCHEMA = 50_000
"""Characters of a skill's whole input schema, defaults included: a list of a hundred skills has a hundred of them."""

INPUT_TYPES: Mapping[str, str] = {
    "string": "a text",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}
"""The types of a skill's inputs, in words."""

_FITS: Mapping[str, Callable[[Any], bool]] = {  # a value is any JSON
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def fits(kind: str, value: Any) -> bool:  # any JSON
    """Whether a value is of an input's type."""
    return _FITS[kind](value)


class SkillParameters(BaseModel):
    """What is passed to the model. Snake case on purpose: these are the providers' own names."""

    model_config = ConfigDict(extra="forbid")

    temperature: Annotated[float | None, Field(ge=0, le=2, allow_inf_nan=False, strict=True)] = None
    max_tokens: Annotated[int | None, Field(ge=1, le=1_000_000, strict=True)] = None
    top_p: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False, strict=True)] = None
    top_k: Annotated[int | None, Field(ge=1, le=1000, strict=True)] = None
    stop_sequences: Annotated[list[StopSequence] | None, Field(max_length=8)] = None


class InputSchemaField(Part):
    """One input of a skill."""

    name: FieldName
    type: Literal["string", "number", "boolean", "array", "object"]
    description: Description | None = None
    required: StrictBool | None = None
    default: JsonValue | None = None

    @model_validator(mode="after")
    def _default_of_its_type(self) -> Self:
        if self.default is not None and not fits(self.type, self.default):
            raise ValueError(f"the default of {self.name} must be {INPUT_TYPES[self.type]}")
        return self


class SkillContext(Part):
    """Binds {{context}} in the prompt to the best chunks of an ingested project."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"projectId": "7f0c3a52-5a0e-4d0a-9d4b-3a0f6f0c2b11", "query": "{{topic}}", "maxTokens": 2000}]
        }
    )

    project_id: UUID | None = Field(None, description="Whose chunks; without one, {{context}} is empty.")
    query: Annotated[Text, StringConstraints(max_length=20_000)] | None = Field(
        None, description="What is searched for, a template too; by default the texts of the input."
    )
    max_tokens: Annotated[int | None, Field(ge=1, le=1_000_000, strict=True)] = Field(
        None, description="What the context may take of the prompt; by default 4,000."
    )


def _distinct(given: list[InputSchemaField] | None) -> list[InputSchemaField] | None:
    names = [entry.name for entry in given or ()]
    if sum(len(entry.model_dump_json()) for entry in given or ()) > LARGEST_SCHEMA:
        raise ValueError(f"must be at most {LARGEST_SCHEMA:,} characters long as JSON")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"names {', '.join(doubled)} more than once")
    return given


ModelName = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
InputSchema = Annotated[list[InputSchemaField], Field(max_length=100), AfterValidator(_distinct)]
Parameters = Annotated[
    SkillParameters,
    BeforeValidator(lambda given: {} if given is None else given, json_schema_input_type=SkillParameters | None),
]


class CreateSkillRequest(Request):
    """A new skill. All but the name and the prompt has a default."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Summarise",
                    "promptTemplate": "Summarise in {{language}}:\n\n{{text}}",
                    "model": "echo",
                    "inputSchema": [
                        {"name": "text", "type": "string", "required": True},
                        {"name": "language", "type": "string", "default": "English"},
                    ],
                }
            ]
        }
    )

    name: SkillName
    prompt_template: PromptTemplate
    description: Description | None = None
    category: SkillCategory = SkillCategory.CUSTOM
    model: ModelName | None = None
    parameters: Parameters = Field(default_factory=SkillParameters)
    input_schema: InputSchema | None = None
    output_format: SkillOutputFormat = SkillOutputFormat.MARKDOWN
    context: SkillContext | None = None
    is_active: StrictBool = True


class UpdateSkillRequest(Request):
    """What is present changes; what is absent stays. Null takes away what may be absent, and else is the default."""

    model_config = ConfigDict(
        json_schema_extra=absent_stays(
            {"promptTemplate": "Summarise in {{language}}, in three sentences:\n\n{{text}}"},
            {"name": "Summarise", "description": None, "isActive": False},
        )
    )

    name: SkillName = ""
    prompt_template: PromptTemplate = ""
    description: Description | None = None
    category: SkillCategory = SkillCategory.CUSTOM
    model: ModelName | None = None
    parameters: Parameters = Field(default_factory=SkillParameters)
    input_schema: InputSchema | None = None
    output_format: SkillOutputFormat = SkillOutputFormat.MARKDOWN
    context: SkillContext | None = None
    is_active: StrictBool = True


class Skill(Wire):
    """A prompt, a model and the inputs they take."""

    id: UUID
    user_id: UUID
    name: str
    description: str | None = None
    category: SkillCategory
    prompt_template: str
    model: str
    parameters: SkillParameters
    input_schema: list[InputSchemaField] | None = None
    output_format: SkillOutputFormat
    context: SkillContext | None = None
    version: int
    is_active: bool
    is_public: bool = False
    execution_count: int
    star_count: int = 0
    rating: float | None = None
    rating_count: int = 0
    last_executed_at: Timestamp | None = None
    created_at: Timestamp
    updated_at: Timestamp


class SkillPage(Page):
    """A page of skills, last updated first."""

    skills: list[Skill]


class SkillVersion(Wire):
    """What runs of one version are made of. It never changes."""

    version: int
    prompt_template: str
    model: str
    parameters: SkillParameters
    input_schema: list[InputSchemaField] | None = None
    output_format: SkillOutputFormat
    context: SkillContext | None = None
    created_at: Timestamp
    created_by: UUID


class DuplicateSkillRequest(Request):
    """How the copy is to be called."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Summarise in Dutch"}]})

    name: SkillName | None = Field(None, description="By default the name with (Copy) behind it.")


class BulkSkillsRequest(Request):
    """Skills by their ids; one that is named twice counts once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"skillIds": ["7f0c3a52-5a0e-4d0a-9d4b-3a0f6f0c2b11"]}]})

    skill_ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)]


class BulkResult(Wire):
    """How many of the skills were yours to change, and are as you asked now."""

    success: bool = True
    count: int


class ExportedContext(Wire):
    """A context without its project, which is nobody else's."""

    model_config = ABSENT_MAY_BE

    query: str | None = None
    max_tokens: int | None = None


class ExportedSkill(Wire):
    """A skill without what it is only here: ids, counts, times, the project of its context."""

    name: str
    description: str | None = None
    category: SkillCategory
    prompt_template: str
    model: str
    parameters: SkillParameters
    input_schema: list[InputSchemaField] | None = None
    output_format: SkillOutputFormat
    context: ExportedContext | None = None
    is_active: bool
    is_public: bool = False
    star_count: int = 0
    rating: float | None = None
    rating_count: int = 0


class SkillExport(Wire):
    """A skill as a file, for POST /skills/import."""

    skill: ExportedSkill
    version: Literal["1.0"]


class ImportSkillRequest(Request):
    """What GET /skills/{id}/export gave. A skill of that name is not replaced: the new one is called `name (1)`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "skill": {"name": "Summarise", "promptTemplate": "Summarise:\n\n{{text}}", "model": "echo"},
                    "version": "1.0",
                }
            ]
        }
    )

    skill: CreateSkillRequest
    version: Literal["1.0"]
