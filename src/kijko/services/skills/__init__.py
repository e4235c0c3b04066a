"""Skills: a prompt, a model and an input schema, kept in immutable versions.

Owns the tables skills and skill_versions. A skill is its organization's; its maker and the organization's managers
change it. What an execution runs is one version, frozen.
"""

from kijko.services.skills.skills import checked_context, create, get, list_page

__all__ = ["checked_context", "create", "get", "list_page"]
