"""GitHub and GitLab beyond git: accounts that people connect, and what their REST APIs tell of repositories."""

from collections.abc import Mapping

from kijko.clients.forges.forge import Account, Forge, ForgeRefused, ForgeUnavailable, Info, Listed, Tokens
from kijko.clients.forges.github import GitHub
from kijko.clients.forges.gitlab import GitLab
from kijko.models.enums import GitProvider
from kijko.settings import Settings

__all__ = [
    "Account",
    "Forge",
    "ForgeRefused",
    "ForgeUnavailable",
    "Forges",
    "Info",
    "Listed",
    "Tokens",
    "connect",
]

Forges = Mapping[GitProvider, Forge]
"""Those that there is a client for, set up or not."""


def connect(settings: Settings) -> Forges:
    """Clients of the forges that the settings name. Nothing is connected before the first call."""
    return_to = settings.oauth.redirect_url or f"{settings.web_url}/oauth/callback"
    return {
        GitProvider.GITHUB: GitHub(settings.oauth, return_to),
        GitProvider.GITLAB: GitLab(settings.oauth, return_to),
    }
