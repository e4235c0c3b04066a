"""Which of a source's files are taken: .gitignore as git reads it, the project's patterns, and what is no source."""

from collections.abc import Mapping, Sequence
from typing import Final

from kijko.services.reading import refusal
from kijko.services.reading.detection import by_path, named
from kijko.services.reading.languages import Language
from kijko.services.reading.patterns import Patterns, split

_GLOB: Final = frozenset("*?[]!/\\.")
_MOST_KNOWN: Final = 50_000


class Selection:
    """Made once for a source, asked for each of its files. It is not pickled: make it where it is asked."""

    def __init__(
        self, ignored: Mapping[bytes, Patterns], include: "Wanted | None", exclude: "Wanted", literal: frozenset[str]
    ) -> None:
        self._ignored = ignored
        self._include = include
        self._exclude = exclude
        self._literal = literal
        self._folders: dict[bytes, str | None] = {}

    @classmethod
    def of(cls, gitignores: Mapping[str, bytes], include: Sequence[str], exclude: Sequence[str]) -> "Selection":
        """A selection.

        Args:
            gitignores: folder (`""` is the root, no slash at the end) → the content of its .gitignore.
            include: patterns, or names of languages; a file must match one of them. None: all do.
            exclude: the same; what matches is left out.
        """
        ignored = {
            folder.strip("/").encode("utf-8", "surrogateescape"): Patterns(split(text))
            for folder, text in gitignores.items()
        }
        literal = frozenset(part for each in include for part in each.strip("/").split("/"))
        return cls(ignored, Wanted(include) if include else None, Wanted(exclude), literal)

    def skip(self, path: str, size: int | None, *, is_file: bool = True) -> str | None:
        """Why that file is not taken, in words for people; None: take it.

        Args:
            path: from the source's root, with slashes.
            size: its bytes, where they are known.
            is_file: false for what is none: a link, a submodule.
        """
        if not is_file:
            return "no file: a symbolic link or a submodule"
        raw = path.encode("utf-8", "surrogateescape")
        folder, _, _ = raw.rpartition(b"/")
        reason = self._folder(folder) or self._file(raw)
        if reason is not None:
            return reason
        language = by_path(path)
        if self._include is not None and not self._include.has(raw, language):
            return "not among the patterns to include"
        found = refusal.by_path(path, size)
        if found is not None and self._literal.isdisjoint(path.split("/")):
            return found
        return refusal.too_large(size) if size is not None else None

    def _folder(self, folder: bytes) -> str | None:
        """Why nothing in that folder is taken: what git ignores as a folder cannot be brought back inside of it."""
        if not folder:
            return None
        if folder in self._folders:
            return self._folders[folder]
        end, reason = 0, None
        while reason is None and end < len(folder):  # from the outside; a path may be deeper than calls may be
            end = folder.find(b"/", end + 1)
            end = end if end > 0 else len(folder)
            reason = self._one_folder(folder[:end])
        if len(self._folders) >= _MOST_KNOWN:
            self._folders.clear()
        self._folders[folder] = reason
        return reason

    def _one_folder(self, folder: bytes) -> str | None:
        if folder in self._folders:
            return self._folders[folder]
        if self._git_ignores(folder, folder=True):
            return "ignored by .gitignore"
        return "among the patterns to exclude" if self._exclude.says(folder, folder=True) else None

    def _file(self, raw: bytes) -> str | None:
        if self._git_ignores(raw, folder=False):
            return "ignored by .gitignore"
        if self._exclude.has(raw, by_path(raw.decode("utf-8", "surrogateescape")) if self._exclude.languages else None):
            return "among the patterns to exclude"
        return None

    def _git_ignores(self, path: bytes, *, folder: bool) -> bool:
        """Whether a .gitignore says so: of those from the path's own folder up, the first that says anything."""
        if not self._ignored:
            return False
        at = path.rpartition(b"/")[0]
        while True:
            patterns = self._ignored.get(at)
            if patterns is not None:
                said = patterns.says(path[len(at) + 1 :] if at else path, folder=folder)
                if said is not None:
                    return said
            if not at:
                return False
            at = at.rpartition(b"/")[0]


class Wanted:
    """A project's list: patterns as in a .gitignore, and names of languages."""

    def __init__(self, patterns: Sequence[str]) -> None:
        plain = [each.strip() for each in patterns if each.strip()]
        found = {each: named(each) for each in plain if not _GLOB & set(each)}
        self.languages = frozenset(language.name for language in found.values() if language is not None)
        self._patterns = Patterns(each.encode("utf-8", "surrogateescape") for each in plain)

    def says(self, path: bytes, *, folder: bool) -> bool:
        """Whether a pattern matches that path itself."""
        return self._patterns.says(path, folder=folder) is True

    def has(self, path: bytes, language: Language | None) -> bool:
        """Whether a file is meant: by its language, or it or a folder around it by a pattern."""
        if language is not None and language.name in self.languages:
            return True
        said = self._patterns.says(path, folder=False)
        at = path.rpartition(b"/")[0]
        while said is None and at:
            said = self._patterns.says(at, folder=True)
            at = at.rpartition(b"/")[0]
        return said is True
