"""An Idempotency-Key's part at the edge. A POST gets it with its transaction (`CurrentTx`), or by a `CurrentClaim`.

The key is claimed at the begin of the transaction and the answer kept at its end, so both commit with the work. A
dependency of the scope `function` ends after the route has returned and before the answer leaves: that is where the
answer is kept; `answer` hands it there.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from kijko.clients import Clients
from kijko.core.tenancy import OrgTx, Principal
from kijko.middleware.answer import rendered
from kijko.middleware.headers import add_header
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import expected
from kijko.services import idempotency
from kijko.services.idempotency import Answer, Attempt

Handler = Callable[[Request], Coroutine[Any, Any, Response]]  # Any: what coroutines never yield here

_ANSWER: Final = "kijko.answer"
APART: Final = ("/api/auth/", "/webhooks/", "/api/files/upload")
"""Addresses whose POSTs take no key."""
_KEPT_HEADERS: Final = frozenset({"content-type", "location", "etag"})


class Replay(Exception):
    """Not an error: the answer is known, and the route need not run."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("replayed")
        self.answer = answer


async def answer(handle: Handler, request: Request) -> Response:
    """The route's answer, or the one kept under the request's key."""
    try:
        response = await handle(request)
    except Replay as replay:
        add_header(request.scope, "Idempotent-Replayed", "true")
        return Response(replay.answer.body, replay.answer.status, dict(replay.answer.headers))
    request.scope[_ANSWER] = response
    return response


@asynccontextmanager
async def transaction(clients: Clients, principal: Principal, request: Request) -> AsyncIterator[OrgTx]:
    """A transaction as the caller which, when the request has a key, keeps its answer as well.

    A refusal that is the last word (a 404, say) is kept too, while the work before it is undone.
    """
    attempt = await _attempt(request)
    if attempt is None:
        async with clients.database.org(principal) as tx:
            yield tx
        return
    refusal: Exception | None = None
    async with clients.database.org(principal) as tx:
        await _claim(tx, clients, attempt, lease=False)
        try:
            async with tx.savepoint():
                yield tx
        except Exception as error:
            found = _refused(error)
            if found is None:
                raise
            refusal = error
        else:
            found = _given(request)
        if found is not None:
            await idempotency.keep(tx, clients.box, attempt, found)
    if refusal is not None:
        raise refusal


class Claim:
    """A key taken for a request whose work spans several transactions."""

    def __init__(self, clients: Clients, principal: Principal, attempt: Attempt | None) -> None:
        self._clients = clients
        self._principal = principal
        self._attempt = attempt

    async def keep(self, tx: OrgTx, response: Response) -> None:
        """Keep an answer in the work's own transaction: from its commit on, the work is not done again.

        The final answer, when it differs, takes its place at the end of the request.
        """
        if self._attempt is not None:
            await idempotency.keep(tx, self._clients.box, self._attempt, _content(response))

    async def take(self) -> None:
        """Claim the key under a lease. Raises Replay, IdempotencyInProgress or IdempotencyMismatch."""
        if self._attempt is not None:
            async with self._clients.database.org(self._principal) as tx:
                await _claim(tx, self._clients, self._attempt, lease=True)

    async def settle(self, found: Answer | None) -> None:
        """Keep the final answer; without one, give the key up, unless the work has kept an answer already."""
        if self._attempt is None:
            return
        async with self._clients.database.org(self._principal) as tx:
            if found is None:
                await idempotency.forget(tx, self._attempt)
            else:
                await idempotency.keep(tx, self._clients.box, self._attempt, found)


async def claim(request: Request, principal: CurrentPrincipal) -> AsyncIterator[Claim]:
    """The request's key, claimed before the route runs, its answer kept after."""
    made = Claim(request.app.state.clients, principal, await _attempt(request))
    await made.take()
    try:
        yield made
    except BaseException as error:
        await made.settle(_refused(error))
        raise
    await made.settle(_given(request))


CurrentClaim = Annotated[Claim, Depends(claim, scope="function")]


async def _attempt(request: Request) -> Attempt | None:
    key = request.headers.get("idempotency-key")
    scope = request.scope
    if key is None or scope["method"] != "POST" or scope["path"].startswith(APART):
        return None
    path = scope["path"].lower()  # an id may be in capitals, and is the same id
    return idempotency.attempt(path, key, await request.body())


async def _claim(tx: OrgTx, clients: Clients, attempt: Attempt, *, lease: bool) -> None:
    known = await idempotency.claim(tx, clients.box, attempt, lease=lease)
    if known is not None:
        raise Replay(known)


def _refused(error: BaseException) -> Answer | None:
    """The answer that an error is, where it is one to keep."""
    said = expected(error) if isinstance(error, Exception) else None
    if said is None:
        return None
    status, body, headers = rendered(said)
    return _kept(status, headers, body)


def _given(request: Request) -> Answer | None:
    """The answer that the route gave, where it is one to keep; a stream is none."""
    response = request.scope.get(_ANSWER)
    return _content(response) if response is not None and idempotency.is_kept(response.status_code) else None


def _content(response: Response) -> Answer:
    body = getattr(response, "body", None)
    if not isinstance(body, bytes):
        raise TypeError("An answer under an Idempotency-Key cannot be a stream.")
    return _answer(response.status_code, response.raw_headers, body)


def _kept(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> Answer | None:
    return _answer(status, headers, body) if idempotency.is_kept(status) else None


def _answer(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> Answer:
    named = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
    return Answer(status, tuple((name, value) for name, value in named if name in _KEPT_HEADERS), body)
