"""Trials on the wire: a prompt on a model, and no execution."""

from typing import Annotated

from pydantic import ConfigDict, StringConstraints

from kijko.models.base import JsonValue, Request, Text
from kijko.models.skills import ModelName, PromptTemplate, SkillParameters


class TestSkillRequest(Request):
    """A prompt to try, as a skill would have it."""

    __test__ = False  # its name is the contract's; it is no test of ours

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "promptTemplate": "Summarise in one sentence:\n\n{{text}}",
                    "systemPrompt": "You write plain English.",
                    "model": "echo",
                    "input": {"text": "The quick brown fox jumps over the lazy dog."},
                }
            ]
        }
    )

    prompt_template: PromptTemplate
    system_prompt: Annotated[Text, StringConstraints(max_length=100_000)] | None = None
    model: ModelName | None = None
    parameters: SkillParameters | None = None
    input: dict[Text, JsonValue] | None = None


class TrySkillRequest(Request):
    """What to try a skill with."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"input": {"text": "The quick brown fox."}}]})

    input: dict[Text, JsonValue] | None = None
