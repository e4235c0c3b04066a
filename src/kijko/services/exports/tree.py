"""A project's folders with the tokens of what is in them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kijko.services.exports.queries import File
from kijko.services.exports.rules import tokens_of


@dataclass(slots=True)
class Folder:
    """A folder, with all that is below it."""

    path: str
    files: int = 0
    tokens: int = 0

    @property
    def depth(self) -> int:
        """How many folders it is inside of; the root's is -1."""
        return self.path.count("/") if self.path else -1


class Tree:
    """The folders, by path."""

    def __init__(self) -> None:
        self._folders: dict[str, Folder] = {"": Folder("")}

    def add(self, file: File) -> None:
        """Count a file in each folder that it is in."""
        path = file.path
        while True:
            path = path.rpartition("/")[0]
            folder = self._folders.get(path)
            if folder is None:
                folder = self._folders[path] = Folder(path)
            folder.files += 1
            folder.tokens += file.tokens
            if not path:
                return

    @property
    def root(self) -> Folder:
        """All of it."""
        return self._folders[""]

    def folders(self, most_tokens: int | None = None) -> Iterator[Folder]:
        """The folders below the root, each before what is in it; the deepest are left out where they are too many."""
        found = sorted((each for path, each in self._folders.items() if path), key=lambda each: each.path.split("/"))
        if most_tokens is None:
            return iter(found)
        deepest = max((each.depth for each in found), default=0)
        while deepest >= 0 and _tokens(each for each in found if each.depth <= deepest) > most_tokens:
            deepest -= 1
        return (each for each in found if each.depth <= deepest)


def _tokens(folders: Iterable[Folder]) -> int:
    return sum(tokens_of(each.path) + 8 for each in folders)
