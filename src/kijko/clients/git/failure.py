"""Why a repository could not be read."""

from typing import Literal

from kijko.core.words import counted

Code = Literal[
    "INVALID_REPOSITORY_URL",
    "REPOSITORY_UNREACHABLE",
    "REPOSITORY_NOT_FOUND",
    "BRANCH_NOT_FOUND",
    "AUTHENTICATION_FAILED",
    "REPOSITORY_TOO_LARGE",
    "FETCH_TIMEOUT",
    "ADDRESS_REFUSED",
]


class GitFailure(Exception):
    """A repository cannot be read. `sentence` is for the person who named it: ours alone, with no word of the server's,
    no credential and no address in it.
    """

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code: Code = code
        self.sentence = sentence

    def __reduce__(self) -> tuple[type["GitFailure"], tuple[Code, str]]:
        """It comes back from worker processes whole."""
        return GitFailure, (self.code, self.sentence)


def silent(seconds: float) -> GitFailure:
    """The server took longer than it may."""
    return GitFailure(
        "FETCH_TIMEOUT", f"The git server took longer than {counted(seconds, 'second')}. Try again later."
    )


def too_large(what: str) -> GitFailure:
    """A cap was hit; `what` says which, as in "more than 100,000 files"."""
    return GitFailure("REPOSITORY_TOO_LARGE", f"The repository is too large: {what}.")


def size(number: float) -> str:
    """Bytes for people."""
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.4g} {unit}"
        number /= 1000
    return f"{number:.4g} GB"


def unreachable(why: str) -> GitFailure:
    """The server could not be asked, or its answer made no sense."""
    return GitFailure("REPOSITORY_UNREACHABLE", why)
