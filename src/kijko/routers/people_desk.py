"""What the routes about people ask for: the language of who asks, and how often they may invite."""

from typing import Annotated

from fastapi import Depends, Request

from kijko.routers.limits import person_limit
from kijko.services.invitations.letters import preferred
from kijko.services.invitations.paper import Language
from kijko.settings import Auth, Settings


async def language(request: Request) -> Language:
    """English or Dutch, for the mails that this request causes: what its sender's browser prefers."""
    settings: Settings = request.app.state.settings
    return preferred(request.headers.get("accept-language"), settings.mail.language)


def _invitations(auth: Auth) -> int:
    return auth.invitations_per_minute


CurrentLanguage = Annotated[Language, Depends(language)]
InvitationLimit = Annotated[None, Depends(person_limit("invitations", _invitations, metric="invitations"))]
"""Requests that invite somebody, a minute, for each person and address. How much mail goes out has its own limits."""
