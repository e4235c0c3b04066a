"""The offline model `echo` of provider `local`: it answers with the prompt, so that everything around can be tried.

An input text that begins `sleep:N ` takes N seconds; `stream:N ` takes N seconds and is told word by word; one that
begins `fail:` fails with what follows.
"""

import asyncio
import re
from collections.abc import Iterator

from kijko.clients.llm.base import ModelAnswer, ModelCall, ModelFailure, Progress, Usage
from kijko.clients.llm.catalogue import ECHO, LOCAL
from kijko.models.enums import ExecutionErrorCode

_SLEEP = re.compile(r"sleep:(\d{1,4}(?:\.\d{1,3})?) ")
_STREAM = re.compile(r"stream:(\d{1,4}(?:\.\d{1,3})?) ")
_WORD = re.compile(r"\s*\S+\s*")
_MOST_PIECES = 1000
_FAIL = "fail:"


class Echo:
    """Costs nothing; a token is four characters, rounded up."""

    async def run(self, call: ModelCall, progress: Progress | None = None) -> ModelAnswer:
        """Answers with the prompt, after the seconds or with the failure that an input asks for."""
        progress = progress or Progress()
        tokens = -(-len(call.prompt) // 4)
        for text in _texts(call):
            if match := _SLEEP.match(text):
                _begin(progress, tokens)
                await asyncio.sleep(float(match[1]))
                break
            if match := _STREAM.match(text):
                _begin(progress, tokens)
                await _word_by_word(call.prompt, float(match[1]), progress)
                break
            if text.startswith(_FAIL):
                said = text.removeprefix(_FAIL).strip()[:300]
                raise ModelFailure(ExecutionErrorCode.INTERNAL, said or "The input asked the model to fail.", ran=True)
        _begin(progress, tokens)
        progress.say(call.prompt[progress.length :])
        progress.count(Usage(tokens, tokens))
        progress.whole = True
        return ModelAnswer(call.prompt, LOCAL, ECHO, tokens, tokens)

    async def close(self) -> None:
        """Nothing is open."""


def _begin(progress: Progress, tokens: int) -> None:
    progress.ask(LOCAL, ECHO)
    progress.count(Usage(tokens, 0))


async def _word_by_word(text: str, seconds: float, progress: Progress) -> None:
    words = _WORD.findall(text)[:_MOST_PIECES]
    for word in words:
        progress.say(word)
        await asyncio.sleep(seconds / len(words))


def _texts(call: ModelCall) -> Iterator[str]:
    yield call.prompt
    yield from (value for value in call.inputs.values() if isinstance(value, str))
