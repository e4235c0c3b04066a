"""Ids in addresses. One that is no UUID leads to the same 404 as one that nothing has."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, ValidationError, core_schema

from kijko.core.errors import NotFound
from kijko.services.executions.errors import ExecutionNotFound
from kijko.services.skills.errors import SkillNotFound


@dataclass(frozen=True)
class Unknown:
    """Marks a path parameter: where its value is not valid, `error` is what the address leads to."""

    error: type[NotFound]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The type's own schema, its errors replaced by ours."""

        def validate(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Any:  # Any: pydantic's own
            try:
                return inner(value)
            except ValidationError:
                raise PydanticCustomError("not_found", "leads nowhere", {"not_found": self.error}) from None

        return core_schema.no_info_wrap_validator_function(validate, handler(source))


SkillId = Annotated[UUID, Unknown(SkillNotFound), Path(alias="skillId", description="The skill's id.")]
ExecutionId = Annotated[UUID, Unknown(ExecutionNotFound), Path(alias="executionId", description="The execution's id.")]
