"""What can be decided about a project without asking anything."""

from dataclasses import replace
from typing import Any, Final

from kijko.core.addresses import AddressRefused, check_literal, target
from kijko.core.errors import Invalid
from kijko.models.base import composed
from kijko.models.base import why_no_name as why_unreadable
from kijko.models.enums import ChunkingStrategy, OutputFormat, ProjectCreationStep, ProjectType
from kijko.models.projects import AdvancedSettings, UpdateProjectRequest
from kijko.services.projects.queries import Editable

Settings = dict[str, Any]  # AdvancedSettings, as the wire has it

SHORTEST_NAME: Final = 3
LONGEST_NAME: Final = 50


def next_steps(kind: ProjectType, *, with_settings: bool) -> list[ProjectCreationStep]:
    """What is left to do for a new project. A manual one has no source to choose."""
    steps = [ProjectCreationStep.TEAM_SETUP, ProjectCreationStep.SETTINGS, ProjectCreationStep.REVIEW]
    if kind is not ProjectType.MANUAL:
        steps.insert(0, ProjectCreationStep.SOURCE_CONFIG)
    return [step for step in steps if not (with_settings and step is ProjectCreationStep.SETTINGS)]


def why_no_name(name: str) -> str | None:
    """Why no project may be called so, in a sentence."""
    name = composed(name).strip()
    length = len(name)
    if length < SHORTEST_NAME:
        return f"The name must have at least {SHORTEST_NAME} characters."
    if length > LONGEST_NAME:
        return f"The name must have at most {LONGEST_NAME} characters."
    reason = why_unreadable(name)
    return None if reason is None else f"The name {reason}."


def merged(kept: Settings, given: AdvancedSettings | None) -> Settings:
    """Settings with those that were given: an object's fields one by one; null removes, and no settings clear all."""
    if given is None:
        return {}
    found = dict(kept)
    for name, value in given.model_dump(mode="json", by_alias=True, exclude_unset=True).items():
        if value is None:
            found.pop(name, None)
        elif isinstance(value, dict):
            found[name] = {**found.get(name, {}), **value}
        else:
            found[name] = value
    return found


def changed(kept: Editable, body: UpdateProjectRequest) -> Editable:
    """A project with the fields that are present in the request."""
    present = {name: getattr(body, name) for name in body.model_fields_set - {"settings"}}
    if "settings" in body.model_fields_set:
        present["settings"] = merged(kept.settings, body.settings)
        second = second_name(body.settings)
        if second is not None:
            present.setdefault("anonymize_secrets", second)
    return replace(kept, **present)


def second_name(given: AdvancedSettings | None) -> bool | None:
    """What the settings say of anonymizing secrets, where they do: the project's own field wins over it."""
    options = given.processing_options if given is not None else None
    if options is None or "anonymize_secrets" not in options.model_fields_set:
        return None
    return options.anonymize_secrets


def aligned(of: Editable) -> Editable:
    """The same, both names of `anonymizeSecrets` saying what the project's own field says."""
    options = of.settings.get("processingOptions")
    if options is None or "anonymizeSecrets" not in options:
        return of
    told = {**options, "anonymizeSecrets": of.anonymize_secrets}
    return replace(of, settings={**of.settings, "processingOptions": told})


def check(of: Editable, *, allowed: frozenset[str]) -> None:
    """Nothing, where the settings fit each other.

    Args:
        allowed: `host:port` pairs that a webhook may be at although they are private, or speak http.

    Raises:
        Invalid: they do not; `field` says where.
    """
    settings = of.settings
    webhook = settings.get("webhookUrl")
    if webhook is None and of.chunking_strategy == ChunkingStrategy.CUSTOM:
        raise Invalid(
            "The chunking strategy custom needs settings.webhookUrl: the address that cuts the files.",
            field="settings.webhookUrl",
        )
    if webhook is not None:
        _check_address(webhook, allowed)
    if settings.get("embeddingModel") is not None and settings.get("outputFormat") != OutputFormat.VECTOR:
        raise Invalid(
            "settings.embeddingModel is only for settings.outputFormat vector.", field="settings.embeddingModel"
        )


def _check_address(url: str, allowed: frozenset[str]) -> None:
    """Where a name leads is looked at each time it is called; here, whether it can lead anywhere."""
    try:
        check_literal(target(url, allowed=allowed), allowed=allowed)
    except AddressRefused as refused:
        raise Invalid(f"settings.webhookUrl is not taken. {refused}", field="settings.webhookUrl") from None
