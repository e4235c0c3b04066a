"""Ids in addresses. What is no UUID in the usual spelling leads to the same 404 as one that nothing has.

There is one spelling, in small or capital letters, so that one thing has one address: no braces, no `urn:uuid:`, and
no digits without their dashes.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from kijko.core.errors import NotFound
from kijko.services.api_keys.errors import ApiKeyNotFound
from kijko.services.executions.errors import ExecutionNotFound
from kijko.services.organizations.errors import MemberNotFound as ColleagueNotFound
from kijko.services.organizations.errors import OpenInvitationNotFound
from kijko.services.privacy.errors import DeletionNotFound
from kijko.services.projects.errors import MemberNotFound, ProjectNotFound, RepositoryNotFound, UserNotFound
from kijko.services.skills.errors import SkillNotFound
from kijko.services.uploads.errors import FileNotFound

_SPELLING: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Unknown:
    """Marks an id in a path: where it is none, `error` is what the address leads to."""

    error: type[NotFound]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The type's own schema, behind a look at the spelling."""

        def validate(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Any:  # Any: pydantic's own
            if isinstance(value, str) and _SPELLING.fullmatch(value):
                return inner(value)
            raise PydanticCustomError("not_found", "leads nowhere", {"not_found": self.error})

        return core_schema.no_info_wrap_validator_function(validate, handler(source))


ApiKeyId = Annotated[UUID, Unknown(ApiKeyNotFound), Path(alias="keyId", description="The API key's id.")]
SkillId = Annotated[UUID, Unknown(SkillNotFound), Path(alias="skillId", description="The skill's id.")]
ExecutionId = Annotated[UUID, Unknown(ExecutionNotFound), Path(alias="executionId", description="The execution's id.")]
FileId = Annotated[UUID, Unknown(FileNotFound), Path(alias="fileId", description="The uploaded file's id.")]
ProjectId = Annotated[UUID, Unknown(ProjectNotFound), Path(alias="projectId", description="The project's id.")]
RepositoryId = Annotated[
    UUID, Unknown(RepositoryNotFound), Path(alias="repositoryId", description="The repository's id.")
]
MemberId = Annotated[
    UUID,
    Unknown(MemberNotFound),
    Path(alias="memberId", description="The member's id in the project, or the invitation's."),
]
ColleagueId = Annotated[UUID, Unknown(ColleagueNotFound), Path(alias="userId", description="The person's id.")]
InvitationId = Annotated[
    UUID, Unknown(OpenInvitationNotFound), Path(alias="invitationId", description="The invitation's id.")
]
DeletionId = Annotated[UUID, Unknown(DeletionNotFound), Path(alias="deletionId", description="The deletion's id.")]
UserId = Annotated[UUID, Unknown(UserNotFound), Path(alias="userId", description="Your own id.")]
