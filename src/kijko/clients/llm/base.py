"""What goes into a model, what comes out, and how it fails."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from kijko.models.enums import ExecutionErrorCode


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One prompt for one model."""

    model: str
    prompt: str
    parameters: Mapping[str, Any] = field(default_factory=dict)  # temperature, max_tokens, top_p, top_k, stop_sequences
    inputs: Mapping[str, Any] = field(default_factory=dict)  # the values behind the prompt; only `echo` looks at them
    system: str | None = None  # what the model is told before the prompt, in the provider's own place for it


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What the model said, and the tokens it is billed for.

    `prompt_tokens` is all of the input, cached or not; the two cache counts are parts of it.
    """

    text: str
    provider: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


class ModelFailure(Exception):
    """A call that gave no answer.

    `code` is the contract's, the text is a sentence a person can act on, and `ran` says whether the model did work
    that counts (a refused key or a full queue did none).
    """

    def __init__(self, code: ExecutionErrorCode, detail: str, *, ran: bool, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.ran = ran
        self.retry_after_s = retry_after_s


class Provider(Protocol):
    """A company's models."""

    async def run(self, call: ModelCall) -> ModelAnswer:
        """Runs the model once; no retry happens inside.

        Raises:
            ModelFailure: with its class and whether the model ran. Cancellation drops the call.
        """
        ...

    async def close(self) -> None:
        """Closes its connections."""
        ...
