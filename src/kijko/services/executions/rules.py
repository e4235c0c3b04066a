"""Pure decisions: does an input fit a skill, what is the prompt, when is a failed attempt tried again."""

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from kijko.models.enums import ExecutionErrorCode
from kijko.models.skills import INPUT_TYPES, fits
from kijko.services.executions.errors import InvalidInput

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}")
# Bound by the server, not by an input of that name: the code of a project, and the whole input as JSON.
_BOUND = frozenset({"context", "payload"})
_RETRIED = frozenset(
    {
        ExecutionErrorCode.PROVIDER_RATE_LIMITED,
        ExecutionErrorCode.PROVIDER_OVERLOADED,
        ExecutionErrorCode.TIMEOUT,
        ExecutionErrorCode.WORKER_LOST,
    }
)
_MOST_DETAILS = 100
_MOST_SAID = 5
# Four million characters are about a million tokens: no model takes more.
_LONGEST_PROMPT = 4_000_000
_LONGEST_QUERY = 20_000


class PromptTooLong(ValueError):
    """No model takes a prompt of this length; the text says how long it would be."""


def placeholders(template: str) -> list[str]:
    """The names in {{…}}, in order of appearance, each once."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(template)))


def bind_input(template: str, schema: Sequence[Mapping[str, Any]] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The input with the schema's defaults filled in.

    What the schema does not name is kept; a placeholder that nothing can fill is an error.

    Raises:
        InvalidInput: `details` has a {field, message} for each input that is missing or of another type.
    """
    bound = dict(given)
    problems = []
    declared = {entry["name"]: entry for entry in schema or ()}
    for name, entry in declared.items():
        if bound.get(name) is None and entry.get("default") is not None:
            bound[name] = entry["default"]
        if bound.get(name) is None:
            bound.pop(name, None)
            if entry.get("required"):
                problems.append((name, "is required"))
        elif not fits(entry["type"], bound[name]):
            problems.append((name, f"must be {INPUT_TYPES[entry['type']]}"))
    problems += [
        (name, "is used in the prompt but not given")
        for name in placeholders(template)
        if name not in bound and name not in declared and name not in _BOUND
    ]
    if problems:
        raise _misfit(problems)
    return bound


def defaults(schema: Sequence[Mapping[str, Any]] | None) -> set[str]:
    """The names of the inputs that have one."""
    return {entry["name"] for entry in schema or () if entry.get("default") is not None}


def filled_in(given: Mapping[str, Any], bound: Mapping[str, Any]) -> list[str] | None:
    """The names of the inputs that `bind_input` took from the schema's defaults; None where there are none."""
    return [name for name in bound if given.get(name) is None and bound[name] is not None] or None


def _misfit(problems: Sequence[tuple[str, str]]) -> InvalidInput:
    details = [{"field": f"input.{name}", "message": message} for name, message in problems[:_MOST_DETAILS]]
    text = "; ".join(f"{name} {message}" for name, message in problems[:_MOST_SAID])
    more = f"; and {len(problems) - _MOST_SAID} more" if len(problems) > _MOST_SAID else ""
    return InvalidInput(f"The input does not fit the skill: {text}{more}.", field=details[0]["field"], details=details)


def length(template: str, values: Mapping[str, Any], *, context: str = "") -> int:
    """How many characters `render` would make.

    Raises:
        PromptTooLong: more than 4,000,000.
    """
    return _measured(template, _texts(template, values, context))


def render(template: str, values: Mapping[str, Any], *, context: str = "") -> str:
    """The prompt: each {{name}} becomes its value, in one pass, so that {{x}} inside a value stays text.

    Texts go in as they are, anything else as compact JSON, what is absent as nothing.

    Raises:
        PromptTooLong: the prompt would have more than 4,000,000 characters; it is measured before it is made.
    """
    texts = _texts(template, values, context)
    _measured(template, texts)
    return _PLACEHOLDER.sub(lambda match: texts[match[1]], template)


def context_query(template: str | None, prompt: str, values: Mapping[str, Any]) -> str:
    """What the project is asked: the context's own query, rendered; else the input's texts; else the prompt's words.

    Cut at 20,000 characters before anything is made of them.
    """
    if template is not None:
        return _cut(render(template, values))
    given = "\n".join(_cut(_text(value)) for value in values.values())
    return _cut(given if given.strip() else _PLACEHOLDER.sub(" ", prompt))


def _cut(text: str) -> str:
    return text[:_LONGEST_QUERY]


def _texts(template: str, values: Mapping[str, Any], context: str) -> dict[str, str]:
    return {name: _value(name, values, context) for name in placeholders(template)}


def _measured(template: str, texts: Mapping[str, str]) -> int:
    found = len(template) + sum(len(texts[match[1]]) - len(match[0]) for match in _PLACEHOLDER.finditer(template))
    if found > _LONGEST_PROMPT:
        raise PromptTooLong(f"The prompt would have {found:,} characters; {_LONGEST_PROMPT:,} are the most.")
    return found


def _value(name: str, values: Mapping[str, Any], context: str) -> str:
    if name in values:
        return _text(values[name])
    if name == "payload":
        return orjson.dumps(values).decode()
    return context if name == "context" else ""


def _text(value: Any) -> str:  # any JSON
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def retry_delay_s(code: ExecutionErrorCode, attempts: int, *, most: int, asked_s: float | None = None) -> float | None:
    """Seconds until the next attempt, with jitter; None when there is to be none.

    `attempts` were made, `most` may be; `asked_s` is the provider's Retry-After, heeded up to five minutes.
    """
    if code not in _RETRIED or attempts >= most:
        return None
    backoff = 2.0**attempts * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
    return max(backoff, min(asked_s or 0, 300))


def storable(text: str) -> str:
    """The text as Postgres can keep it: no NUL, no lone surrogate."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()
