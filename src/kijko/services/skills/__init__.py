"""Skills: a prompt, a model and an input schema, kept in immutable versions.

Owns the tables skills and skill_versions. A skill is its organization's; its maker and the organization's managers
change it. What an execution runs is one version, frozen; the database refuses to change one.
"""

from kijko.services.skills.changing import Match, delete, delete_all, held, restore, switch_all, update
from kijko.services.skills.copying import duplicate, export, import_one, version, versions
from kijko.services.skills.queries import Kept
from kijko.services.skills.skills import checked_context, create, get, known_model, list_page

__all__ = [
    "Kept",
    "Match",
    "checked_context",
    "create",
    "delete",
    "delete_all",
    "duplicate",
    "export",
    "get",
    "held",
    "import_one",
    "known_model",
    "list_page",
    "restore",
    "switch_all",
    "update",
    "version",
    "versions",
]
