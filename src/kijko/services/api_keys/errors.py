"""What can go wrong with API keys, and with what asks by one."""

from collections.abc import Collection, Mapping

from kijko.core.errors import Conflict, Forbidden, Limited, NotFound, Unauthenticated
from kijko.models.enums import ApiKeyScope


class MistypedKey(Unauthenticated):
    """This is no API key: characters are missing or mistyped. Copy it anew; it begins with kjk_ and has 61 of them."""


class TooManyRefused(Limited):
    """Too many requests with API keys that do not work came from this address. Make a new key, or wait a minute."""

    def __init__(self, detail: str, quota: Mapping[str, str | int], *, retry_after_s: int) -> None:
        super().__init__(detail, details=quota, retry_after_s=retry_after_s)
        self.quota = quota
        """{metric, limit, used, resetsAt}."""


class MissingScope(Forbidden):
    """This API key lacks the scope that this needs; details name it. Make a key that has it."""

    code = "MISSING_SCOPE"

    def __init__(self, needed: ApiKeyScope, had: Collection[str]) -> None:
        super().__init__(
            f"This API key lacks the scope {needed.value}, which this needs. Make a key that has it.",
            details={"scope": needed.value, "scopes": sorted(had)},
        )


class PeopleOnly(Forbidden):
    """This is for signed-in people, whatever scopes an API key has. Sign in, and ask with the access token."""

    code = "PEOPLE_ONLY"


class ApiKeyNotFound(NotFound):
    """There is no API key with this id that is yours to see."""

    code = "API_KEY_NOT_FOUND"


class ApiKeyLimit(Conflict):
    """Your organization has as many API keys as it may. Revoke one that is not used any more."""

    code = "API_KEY_LIMIT"


class ApiKeyOver(Conflict):
    """This key has expired, or has been rotated already. Rotate the one that took its place, or make a new one."""

    code = "API_KEY_OVER"
