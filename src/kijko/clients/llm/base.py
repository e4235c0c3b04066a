"""What goes into a model, what comes out, and how it fails."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from kijko.core.tokenizer import count
from kijko.models.enums import ExecutionErrorCode

_MOST_TOKENS: Final = 1_000_000_000


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

    `prompt_tokens` is all of the input, cached or not; the two cache counts are parts of it. `estimated` says that the
    provider did not tell them (all), and they were counted here.
    """

    text: str
    provider: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as a provider tells them, the prompt's with those from and for its cache."""

    prompt: int
    completion: int
    cache_read: int = 0
    cache_write: int = 0

    @property
    def is_sane(self) -> bool:
        """Whether these can be true: no prompt at all, what is below zero or beyond all bounds, or more than its whole
        cannot."""
        counts = (self.prompt, self.completion, self.cache_read, self.cache_write)
        # A provider's JSON may hold anything here, whatever its SDK's types say.
        numbers = all(type(one) is int and 0 <= one <= _MOST_TOKENS for one in counts)
        return numbers and self.prompt > 0 and self.cache_read + self.cache_write <= self.prompt


class Progress:
    """What has come of one call so far, for who listens and for who has to stop it. One call's, and not used again.

    `on_text` is called with each piece of text as it comes, from the event loop, and must not wait.
    """

    __slots__ = ("asked", "length", "model", "on_text", "pieces", "provider", "usage", "whole")

    def __init__(self, on_text: Callable[[str], None] | None = None) -> None:
        self.on_text = on_text
        self.asked = False
        """Whether the provider was asked: from then on it may be at work, and bill it."""
        self.pieces: list[str] = []
        self.length = 0
        self.provider: str | None = None
        self.model: str | None = None
        self.usage: Usage | None = None
        """What the provider told last; None where it told nothing, or nothing that can be true."""
        self.whole = False
        """Whether the provider told its end: then the usage is all there is."""

    def ask(self, provider: str, model: str) -> None:
        """The request is about to be sent."""
        self.provider, self.model, self.asked = provider, model, True

    def say(self, text: str | None) -> None:
        """A piece of text came."""
        if text:
            self.pieces.append(text)
            self.length += len(text)
            if self.on_text is not None:
                self.on_text(text)

    def count(self, usage: Usage) -> None:
        """The provider told tokens; what it says later takes the place of what it said before."""
        self.usage = usage if usage.is_sane else None

    @property
    def text(self) -> str:
        """All that came."""
        return "".join(self.pieces)

    def used(self, call: ModelCall) -> ModelAnswer | None:
        """What the call has used, with the text so far; None where the provider was not asked.

        What the provider has not told, or not yet, is counted by our own tokenizer (`core.tokenizer`), which takes
        40 ms a million characters: `estimated` says so.
        """
        if not self.asked:
            return None
        told, text = self.usage, self.text
        prompt = told.prompt if told else count(call.prompt) + count(call.system or "")
        complete = told is not None and self.whole and (told.completion > 0 or not text)
        completion = told.completion if told else 0
        return ModelAnswer(
            text=text,
            provider=self.provider or "",
            model=self.model or call.model,
            prompt_tokens=prompt,
            completion_tokens=completion if complete else max(completion, count(text)),
            cache_read_tokens=told.cache_read if told else 0,
            cache_write_tokens=told.cache_write if told else 0,
            estimated=not complete,
        )


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

    async def run(self, call: ModelCall, progress: Progress | None = None) -> ModelAnswer:
        """Runs the model once; no retry happens inside. Whoever passes a `progress` hears the text as it comes, and
        finds in it what was used, however the call ends.

        Raises:
            ModelFailure: with its class and whether the model ran. Cancellation drops the call and its connection.
        """
        ...

    async def close(self) -> None:
        """Closes its connections."""
        ...
