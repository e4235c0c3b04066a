"""What can be decided about a delivery without asking anything."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

from kijko.models.pushes import PushReason
from kijko.models.repositories import DEFAULT_BRANCH
from kijko.services.pushes.errors import UnreadableDelivery

_FORM: Final = "application/x-www-form-urlencoded"
_LONGEST_ID: Final = 200


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request of a git provider, as it came. Names of headers are in small letters."""

    headers: Mapping[str, str]
    body: bytes


def is_signed(delivery: Delivery, secret: str) -> bool:
    """Whether it comes from who knows the secret: GitHub signs the body, GitLab names the secret itself."""
    signature, token = delivery.headers.get("x-hub-signature-256"), delivery.headers.get("x-gitlab-token")
    if signature is not None:
        expected = "sha256=" + hmac.new(secret.encode(), delivery.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(signature.encode(), expected.encode())
    return token is not None and hmac.compare_digest(token.encode(), secret.encode())


def id_of(delivery: Delivery) -> str:
    """What it is known by, the same when it is sent again: a digest of event and body where the body is signed, or has
    no name. GitHub's name stands outside of what is signed, so whoever sends it again could give it another.
    """
    headers = delivery.headers
    named = headers.get("x-gitlab-event-uuid") or headers.get("idempotency-key")
    signed = headers.get("x-hub-signature-256") is not None
    if signed or named is None or len(named) > _LONGEST_ID or not named.isprintable():
        return "sha256:" + hashlib.sha256(event_of(delivery).encode() + b"\0" + delivery.body).hexdigest()
    return named


def event_of(delivery: Delivery) -> str:
    """`push`, `ping`, `Push Hook` and so on."""
    headers = delivery.headers
    return (headers.get("x-github-event") or headers.get("x-gitlab-event") or "")[:_LONGEST_ID]


def why_not(delivery: Delivery, branch: str, *, follows: bool) -> PushReason | None:
    """Why it starts nothing; None where it tells of new commits on that branch, and the project follows it.

    Raises:
        UnreadableDelivery: it is no JSON object.
    """
    body = _read(delivery)
    if event_of(delivery) not in {"push", "Push Hook"}:
        return PushReason.NO_PUSH
    if body.get("ref") != f"refs/heads/{_default_of(body) if branch == DEFAULT_BRANCH else branch}":
        return PushReason.OTHER_BRANCH
    after = body.get("after")
    if not isinstance(after, str) or not after.strip("0"):  # all zeros: the branch was deleted
        return PushReason.BRANCH_DELETED
    return None if follows else PushReason.NOT_FOLLOWED


def in_words(reason: PushReason, branch: str) -> str:
    """What became of a delivery, in a sentence for who looks at it at the git provider."""
    read = "the repository's default one" if branch == DEFAULT_BRANCH else branch
    return {
        PushReason.STARTED: "An ingestion takes what was pushed.",
        PushReason.NO_PUSH: "This event is no push; only pushes start an ingestion.",
        PushReason.OTHER_BRANCH: f"This push is to another branch than {read}, which the project reads.",
        PushReason.BRANCH_DELETED: "The branch was deleted; there is nothing to read.",
        PushReason.NOT_FOLLOWED: "The project does not follow pushes. Turn on its setting "
        "processingOptions.realTimeIncremental.",
        PushReason.DELIVERED_BEFORE: "This delivery was taken before; it is taken once.",
        PushReason.QUOTA_EXCEEDED: "The plan has no ingestion left in this period. Start one when it has, or upgrade.",
    }[reason]


def _default_of(body: dict[str, Any]) -> object:  # Any: JSON
    """The default branch, as GitHub (`repository`) and GitLab (`project`) tell it."""
    told = body.get("repository"), body.get("project")
    return next((each["default_branch"] for each in told if isinstance(each, dict) and "default_branch" in each), None)


def _read(delivery: Delivery) -> dict[str, Any]:  # Any: JSON
    text: bytes | str = delivery.body
    try:
        if delivery.headers.get("content-type", "").split(";", 1)[0].strip().lower() == _FORM:
            text = parse_qs(delivery.body.decode(), strict_parsing=True, max_num_fields=10)["payload"][0]
        found = orjson.loads(text)
    except (ValueError, KeyError):
        raise UnreadableDelivery from None
    if not isinstance(found, dict):
        raise UnreadableDelivery
    return found
