"""Settings that are missing or cannot be right, in sentences: which variable it is, and what is allowed."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, Final, NoReturn

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

EXIT_CODE: Final = 2
"""What a process ends with when a setting keeps it from starting."""
_LONGEST: Final = 80
_LIST: Final = 'a JSON list, such as ["one", "two"]'
_ALLOWED: Final[Mapping[str, str]] = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "frozen_set_type": _LIST,
    "set_type": _LIST,
}


class SettingError(RuntimeError):
    """A setting keeps a process from starting; the text names its variable."""


class MissingSetting(SettingError):
    """A setting that this process needs is not there."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not set. Set it in the environment, or start everything with `make up`.")
        self.name = name


class WrongSetting(SettingError):
    """Settings that cannot be right: a sentence, and a line, for each."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


@contextmanager
def explained() -> Iterator[None]:
    """Around the start of a process: a SettingError ends it with its sentence on stderr and exit code 2."""
    try:
        yield
    except SettingError as error:
        leave(str(error))


def leave(text: str) -> NoReturn:
    """Say it on stderr and end this process with exit code 2."""
    sys.stderr.write(f"kijko: {text}\n")
    raise SystemExit(EXIT_CODE)


def sentences(error: ValidationError, settings: type[BaseModel]) -> list[str]:
    """What is wrong with the variables that `settings` was read from; no value of a secret is repeated."""
    said = (_sentence(dict(each), settings) for each in error.errors())
    return list(dict.fromkeys(said))


def _sentence(error: dict[str, Any], settings: type[BaseModel]) -> str:  # Any: pydantic's own
    path = _path(error["loc"])
    name = _variable(path)
    group, field = _field(settings, path)
    if error["type"] == "extra_forbidden":
        return f"{name} is not a setting.{_meant(path, group)}"
    if field is not None and _is_group(field):
        return f"{name} names a group of settings, not one. Set {name}_… instead, such as {_example(path, field)}."
    allowed = _allowed(error, field)
    given = _given(error["input"], field)
    return f"{name} is {given}; it has to be {allowed}." if given else f"{name} cannot be used: it has to be {allowed}."


def _path(location: tuple[str | int, ...]) -> tuple[str, ...]:
    """The names that lead to a setting, without what lies inside its value."""
    names: list[str] = []
    for part in location[:2]:
        if isinstance(part, int):
            break
        names.append(part)
    return tuple(names)


def _variable(path: tuple[str, ...]) -> str:
    return "_".join(("KIJKO", *path)).upper()


def _field(settings: type[BaseModel], path: tuple[str, ...]) -> tuple[type[BaseModel], FieldInfo | None]:
    """The group that a setting is of, and its field there."""
    group, field = settings, None
    for name in path:
        if field is not None and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            group = field.annotation
        field = group.model_fields.get(name)
    return group, field


def _is_group(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _example(path: tuple[str, ...], field: FieldInfo) -> str:
    assert isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)  # noqa: S101, PT018
    return _variable((*path, next(iter(field.annotation.model_fields))))


def _meant(path: tuple[str, ...], group: type[BaseModel]) -> str:
    near = get_close_matches(path[-1], list(group.model_fields), n=1)
    if near:
        return f" Did you mean {_variable((*path[:-1], near[0]))}?"
    return f" There are: {', '.join(_variable((*path[:-1], name)) for name in group.model_fields)}."


def _given(value: Any, field: FieldInfo | None) -> str:  # Any: what was set
    if not isinstance(value, str | int | float) or (field is not None and SecretStr.__name__ in str(field.annotation)):
        return ""
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _allowed(error: dict[str, Any], field: FieldInfo | None) -> str:  # Any: pydantic's own
    kind: str = error["type"]
    if kind in _ALLOWED:
        return _ALLOWED[kind]
    if kind == "literal_error":
        return "one of " + str(error["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if field is not None and field.annotation in (int, float):
        return ("a whole number" if field.annotation is int else "a number") + _bounds(field)
    inside = ".".join(str(part) for part in error["loc"][2:])
    return f"as src/kijko/settings.py says ({inside}{': ' * bool(inside)}{error['msg'].lower()})"


def _bounds(field: FieldInfo) -> str:
    words: dict[str, str] = {}
    for rule in field.metadata:
        match rule:
            case Ge(ge=least):
                words["from"] = f"{least}"
            case Gt(gt=below):
                words["above"] = f"{below}"
            case Le(le=most):
                words["to"] = f"{most}"
            case Lt(lt=end):
                words["below"] = f"{end}"
    if set(words) == {"from"}:
        return f" of at least {words['from']}"
    return "".join(f" {word} {bound}" for word, bound in words.items())
