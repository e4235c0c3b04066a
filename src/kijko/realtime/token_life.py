"""The life of a connection's access token: a warning before its end, its end, and a new one in its place."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from kijko.core.errors import Unauthenticated
from kijko.core.tenancy import Principal
from kijko.core.tokens import Tokens

_WARN_S: Final = 60.0


class OtherSession(Unauthenticated):
    """The new token is of another person or session. Connect again with it."""


class TokenLife:
    """Whose connection it is, and until when. `stop` it in the end."""

    def __init__(self, principal: Principal, tokens: Tokens) -> None:
        self.principal = principal
        self._tokens = tokens
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, warn: Callable[[datetime], None], expired: Callable[[], None]) -> None:
        """`warn` is called a minute before the token ends, at once where it has less; `expired` when it has ended.

        An API key has no successor to ask for: whoever reads the rooms ends its connection when it does not work.
        """
        if self.principal.key is not None:
            return
        self._warn, self._expired = warn, expired
        self._plan(_left_s(self.principal) - _WARN_S, self._warned)

    def stop(self) -> None:
        """Calls nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def renew(self, token: object) -> Principal:
        """Takes a new token of the same person and session.

        Raises:
            InvalidToken, KeysUnavailable, OtherSession: it does not take it; the old one counts on.
        """
        principal = await self._tokens.verify(token if isinstance(token, str) else "")
        if (principal.user_id, principal.session_id) != (self.principal.user_id, self.principal.session_id):
            raise OtherSession
        self.principal = principal
        if self._timer is not None:
            self._plan(_left_s(principal) - _WARN_S, self._warned)
        return principal

    def _warned(self) -> None:
        self._plan(_left_s(self.principal), self._ended)
        self._warn(self.principal.expires_at)

    def _ended(self) -> None:
        self.stop()
        self._expired()

    def _plan(self, seconds: float, what: Callable[[], None]) -> None:
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(max(seconds, 0), what)


def _left_s(principal: Principal) -> float:
    return (principal.expires_at - datetime.now(UTC)).total_seconds()
