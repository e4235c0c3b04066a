"""What a stream that ended without an error came to."""

from kijko.clients.llm import failures
from kijko.clients.llm.base import ModelAnswer, ModelCall, Progress


def finished(provider: str, call: ModelCall, progress: Progress) -> ModelAnswer:
    """The answer, with the tokens that the provider told.

    Raises:
        ModelFailure: the provider broke off before its end.
    """
    if not progress.whole:
        raise failures.cut(provider)
    answer = progress.used(call)
    if answer is None:
        raise failures.cut(provider)
    return answer
