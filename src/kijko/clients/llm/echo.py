"""The offline model `echo` of provider `local`: it answers with the prompt, so that everything around can be tried.

An input text that begins `sleep:N ` takes N seconds; one that begins `fail:` fails with what follows.
"""

import asyncio
import re
from collections.abc import Iterator

from kijko.clients.llm.base import ModelAnswer, ModelCall, ModelFailure
from kijko.clients.llm.catalogue import ECHO, LOCAL
from kijko.models.enums import ExecutionErrorCode

_SLEEP = re.compile(r"sleep:(\d{1,4}(?:\.\d{1,3})?) ")
_FAIL = "fail:"


class Echo:
    """Costs nothing; a token is four characters, rounded up."""

    async def run(self, call: ModelCall) -> ModelAnswer:
        """Answers with the prompt, after the seconds or with the failure that an input asks for."""
        for text in _texts(call):
            if match := _SLEEP.match(text):
                await asyncio.sleep(float(match[1]))
                break
            if text.startswith(_FAIL):
                said = text.removeprefix(_FAIL).strip()[:300]
                raise ModelFailure(ExecutionErrorCode.INTERNAL, said or "The input asked the model to fail.", ran=True)
        tokens = -(-len(call.prompt) // 4)
        return ModelAnswer(call.prompt, LOCAL, ECHO, tokens, tokens)

    async def close(self) -> None:
        """Nothing is open."""


def _texts(call: ModelCall) -> Iterator[str]:
    yield call.prompt
    yield from (value for value in call.inputs.values() if isinstance(value, str))
