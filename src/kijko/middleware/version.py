"""/api/v1 is another name of /api, for clients that want one with a version in it."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

_NAMED: Final = "/api/v1/"
_CUT: Final = slice(len("/api"), len("/api/v1"))


class VersionName:
    """Turns /api/v1/… into /api/… before anything looks at the path, so that both are one in every respect."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on under the shorter path."""
        path = scope.get("path", "")
        if path.startswith(_NAMED):
            scope["path"] = path[: _CUT.start] + path[_CUT.stop :]
            raw = scope.get("raw_path")
            if raw and raw.startswith(_NAMED.encode()):
                scope["raw_path"] = raw[: _CUT.start] + raw[_CUT.stop :]
        await self.app(scope, receive, send)
