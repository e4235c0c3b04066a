"""How an error leaves over HTTP: problem+json with the request's id, and the headers its kind asks for."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.types import Send

from kijko.core.errors import AppError, Limited, QuotaExceeded, Unauthenticated, Unavailable
from kijko.core.logging import request_id
from kijko.middleware.quota import quota_headers
from kijko.models.problem import problem_of

Raw = tuple[bytes, bytes]

MEDIA_TYPE: Final = "application/problem+json"


def rendered(error: AppError) -> tuple[int, bytes, list[Raw]]:
    """The status, body and headers of an error's answer, under the id of the request at work."""
    problem = problem_of(error, request_id.get())
    body = problem.model_dump_json(by_alias=True).encode()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    if isinstance(error, Unauthenticated):
        # Whoever sent no token (or a wrong password) is told the scheme alone; else, that it is the token (RFC 6750).
        bad_token = error.code == Unauthenticated.code and type(error) is not Unauthenticated
        headers.append((b"www-authenticate", b'Bearer error="invalid_token"' if bad_token else b"Bearer"))
    if isinstance(error, Limited | Unavailable) and error.retry_after_s is not None:
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    if isinstance(error, QuotaExceeded) and isinstance(error.details, Mapping):
        headers += [(name.lower().encode(), value.encode()) for name, value in quota_headers(error.details)]
    return problem.status, body, headers


async def send_problem(send: Send, error: AppError, headers: Sequence[Raw] = ()) -> None:
    """Answer with an error from inside a middleware."""
    status, body, own = rendered(error)
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body})
