"""What can go wrong with organizations' model keys."""

from kijko.core.errors import NotFound


class UnknownModelProvider(NotFound):
    """There is no model provider of this name. There are anthropic, google and openai."""

    code = "UNKNOWN_PROVIDER"


class ModelKeyNotFound(NotFound):
    """Your organization has no key of its own at this provider."""

    code = "MODEL_KEY_NOT_FOUND"
