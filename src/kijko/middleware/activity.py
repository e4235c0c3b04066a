"""Whoever asks for something of a project, and gets it, is active there."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kijko.services.projects.activity import Activity

_PROJECTS: Final = "/api/projects/"


class ProjectActivity:
    """Notes who asked, of what was answered well. It is the innermost: the route writes into the scope that is here."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; look at the answer's status."""
        if scope["type"] != "http" or not scope["path"].startswith(_PROJECTS):
            await self.app(scope, receive, send)
            return

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                _note(scope)
            await send(message)

        await self.app(scope, receive, noted)


def _note(scope: Scope) -> None:
    principal, project = scope.get("kijko.principal"), scope.get("path_params", {}).get("projectId")
    activity: Activity | None = getattr(scope["app"].state, "activity", None)
    if principal is not None and project is not None and activity is not None:
        activity.note(principal.user_id, str(project))
