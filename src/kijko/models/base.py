"""How the wire speaks: camelCase names, null for what is absent, Z for UTC, exact numbers."""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails

from kijko.core.words import nearest

_MISSPELT: Final = 0.8


def _utc(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _number(value: Decimal) -> int | float:
    # JSON has one kind of number and the web app reads it as a double; this is the last step out of the door.
    return int(value) if value == value.to_integral_value() else float(value)


def no_nul(value: str) -> str:
    """The text, unless it holds a NUL, which Postgres cannot keep."""
    if "\x00" in value:
        raise ValueError("must not contain a NUL character")
    return value


_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Ends of lines and other control characters, and what turns the text after it around."""


def composed(value: Any) -> Any:  # any JSON
    """A text as most keyboards write it (Unicode's NFC): what looks the same then is the same."""
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def why_no_name(value: str) -> str | None:
    """What is wrong with a text as a name that people read in lists, mails and logs; None where nothing is."""
    if _CONTROL.search(value):
        return "must not contain control characters, such as ends of lines"
    if value and not any(unicodedata.category(each)[0] in "LNPS" for each in value):
        return "must have a character that can be seen"
    return None


def readable(value: str) -> str:
    """The name, unless `why_no_name` says why not."""
    no_nul(value)
    if (reason := why_no_name(value)) is not None:
        raise ValueError(reason)
    return value


def _no_nul_anywhere(value: Any) -> Any:  # any JSON
    match value:
        case str():
            return no_nul(value)
        case dict():
            for key, item in value.items():
                _no_nul_anywhere(key)
                _no_nul_anywhere(item)
        case list():
            for item in value:
                _no_nul_anywhere(item)
        case _:
            pass
    return value


Timestamp = Annotated[
    datetime,
    PlainSerializer(_utc, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""ISO 8601 in UTC with a Z."""

Amount = Annotated[Decimal, PlainSerializer(_number, return_type=float, when_used="json")]
"""Exact inside, a JSON number outside."""

Text = Annotated[str, AfterValidator(no_nul)]
"""A string that Postgres can keep."""

JsonValue = Annotated[Any, BeforeValidator(_no_nul_anywhere)]
"""Any JSON that Postgres can keep."""


EmailAddress = Annotated[str, WithJsonSchema({"type": "string", "format": "email"})]
"""An address as an answer has it. What comes in is checked by `services.identity.rules`."""

Uri = Annotated[str, WithJsonSchema({"type": "string", "format": "uri"})]
"""A whole address, as an answer has it."""

UriReference = Annotated[str, WithJsonSchema({"type": "string", "format": "uri-reference"})]
"""A path on this server, or a whole address."""

ABSENT_MAY_BE: Final = ConfigDict(json_schema_serialization_defaults_required=False)
"""For a shape that goes out without those of its fields that have a default and nothing to say."""


class Wire(BaseModel):
    """A shape of the contract that goes out. Built from rows by attribute.

    All of its fields are always written, null where there is nothing, and so it is described; a shape that leaves some
    out says so: ABSENT_MAY_BE.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        from_attributes=True,
        json_schema_serialization_defaults_required=True,
    )


class Request(Wire):
    """A shape of the contract that comes in. Unknown names are ignored, so that an older API takes newer apps.

    Not so one that is nearly a field's which is not there: it was meant, and would be lost. `routers.misspelt` says
    which it is near to.
    """

    model_config = ConfigDict(populate_by_name=False)

    @model_validator(mode="wrap")
    @classmethod
    def _no_slips(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # Any: whatever was sent
        made = handler(given)
        slips = _slips(cls, given) if isinstance(given, dict) else []
        if slips:
            raise ValidationError.from_exception_data(
                cls.__name__,
                [InitErrorDetails(type="extra_forbidden", loc=(name,), input=given[name]) for name in slips],
            )
        return made


class Part(Wire):
    """A shape inside of a request: a name that it does not have is refused. What may be any JSON stays open.

    Where it is kept and goes out again, it goes out as it came in.
    """

    model_config = ConfigDict(extra="forbid") | ABSENT_MAY_BE


def _slips(shape: type[BaseModel], given: dict[str, Any]) -> list[str]:
    """Names that are none of the shape's, but nearly one which was not given."""
    names = {field.alias or name for name, field in shape.model_fields.items()}
    absent = names - given.keys()
    return [name for name in given if name not in names and nearest(name, absent, alike=_MISSPELT)]


def absent_stays(*examples: dict[str, Any]) -> Callable[[dict[str, Any]], None]:  # Any: JSON
    """For the `json_schema_extra` of a change: its examples, and no defaults.

    What stands in the class for an absent field would be read as what the field becomes, and is never used.
    """

    def changed(schema: dict[str, Any]) -> None:
        for field in schema["properties"].values():
            field.pop("default", None)
        if examples:
            schema["examples"] = list(examples)

    return changed


def left_out(*names: str) -> Callable[[dict[str, Any]], None]:  # Any: JSON
    """For the `json_schema_extra` of an answer: it may be without these fields, by their names on the wire."""

    def changed(schema: dict[str, Any]) -> None:
        schema["required"] = [name for name in schema["required"] if name not in names]

    return changed


class Page(Wire):
    """What every page says besides its rows."""

    total: int
    page: int
    page_size: int
    has_more: bool


class Success(Wire):
    """It was done."""

    success: bool = True
