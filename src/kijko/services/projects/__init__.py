"""Projects: the code that an organization turns into context, and who may do what with it.

Owns the tables projects, project_members and project_repositories. Roles mean what kijko.project_actions says: the
policies and `access.require` ask it, docs/roles.md shows it. A project's maker is its first admin member.
Members and invitations change by functions of the database alone, which hold the organization's people meanwhile.
"""

from kijko.services.projects.projects import create, delete, full, get, list_page, stats, update, validate_name

__all__ = ["create", "delete", "full", "get", "list_page", "stats", "update", "validate_name"]
