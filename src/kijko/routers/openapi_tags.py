"""The groups of the API's operations, in the order in which the documentation shows them."""

from collections.abc import Mapping
from typing import Final

TAGS: Final[Mapping[str, str]] = {
    "auth": "Signing up and in, sessions, passwords, and the caller's own profile.",
    "organizations": "Organizations, their members, and invitations into them.",
    "projects": "Projects with their members and repositories; how they are ingested, read, searched and exported.",
    "git accounts": "Accounts at GitHub, GitLab and others, for private repositories.",
    "files": "Uploaded files as sources of a project.",
    "repositories": "What to enter at a git provider, so that a push starts the next ingestion.",
    "skills": "Prompts with a model and an input schema: their versions, how they are run and tried, and the models.",
    "executions": "Runs of skills: lists, exports, statistics and costs, and each one as it goes.",
    "privacy": "How far a deletion is.",
    "keys": "API keys for programs, and an organization's own keys at model providers.",
    "operations": "Whether the server is well, and what is here.",
    "webhooks": "What other services call.",
}
"""name → what is in it."""
