"""How an export is written: as JSON or as markdown, a part at a time."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from uuid import UUID

import orjson

from kijko.core.words import counted
from kijko.services.exports.queries import File, Named
from kijko.services.exports.rules import Part, Picked, tokens_of
from kijko.services.exports.tree import Tree
from kijko.services.reading import TOKENIZER

_BACKTICKS: Final = re.compile("`+")
_LONG_FENCE: Final = 64
"""For a file that comes in several parts: what is in the later ones is not known yet."""
_LINE: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Summary:
    """What stands above the files."""

    project_id: UUID
    project: Named
    tree: Tree
    max_tokens: int | None
    tree_tokens: int | None


@dataclass(slots=True)
class LeftOut:
    """What is not there: how many files with how many tokens, and the names of the first of them."""

    files: int
    tokens: int
    room: int
    """Tokens that names may yet take."""
    named: list[File] = field(default_factory=list)

    @classmethod
    def of(cls, picked: Picked | None, room: int) -> "LeftOut":
        """All that was not picked; None: nothing is left out."""
        return cls(picked.files_left_out, picked.tokens_left_out, room) if picked is not None else cls(0, 0, 0)

    def name(self, file: File) -> None:
        """The next of them, as long as there is room."""
        self.room -= tokens_of(file.path) + 8
        if self.room >= 0:
            self.named.append(file)


class Writer(Protocol):
    """A format. Calls come in this order: head, for each file begin, text once or more and end, tail."""

    content_type: str

    def head(self, of: Summary) -> bytes:
        """What comes before the files."""
        ...

    def begin(self, file: File, part: Part, text: str, *, alone: bool) -> bytes:
        """What comes before a file's text; `alone`: `text` is all of it."""
        ...

    def text(self, text: str) -> bytes:
        """Some of a file's text."""
        ...

    def end(self) -> bytes:
        """What comes after a file's text."""
        ...

    def tail(self, left_out: LeftOut) -> bytes:
        """What comes after the files: the names of those that are not there, as many as there is room for."""
        ...


class Json:
    """One object: the project, its folders, its files with their text, what was left out."""

    content_type = "application/json"

    def __init__(self) -> None:
        self._between = b""

    def head(self, of: Summary) -> bytes:
        """All but the files and what is left out."""
        root = of.tree.root
        told: dict[str, Any] = {
            "project": {"id": str(of.project_id), "name": of.project.name, "description": of.project.description},
            "exportedAt": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "tokenizer": TOKENIZER,
            "maxTokens": of.max_tokens,
            "totalFiles": root.files,
            "totalTokens": root.tokens,
            "tree": [
                {"path": each.path, "files": each.files, "tokens": each.tokens}
                for each in of.tree.folders(of.tree_tokens)
            ],
        }
        return orjson.dumps(told)[:-1] + b',"files":['

    def begin(self, file: File, part: Part, text: str, *, alone: bool) -> bytes:
        """The file's fields up to its text."""
        told = {
            "path": file.path,
            "repository": file.repository,
            "language": file.language,
            "lines": file.lines,
            "tokens": file.tokens,
            "part": part.value,
        }
        between, self._between = self._between, b","
        return between + orjson.dumps(told)[:-1] + b',"content":"'

    def text(self, text: str) -> bytes:
        """As the inside of a JSON string."""
        return orjson.dumps(text)[1:-1]

    def end(self) -> bytes:
        """Closes the text and the file."""
        return b'"}'

    def tail(self, left_out: LeftOut) -> bytes:
        """Closes the files and tells what is left out."""
        told = {
            "files": left_out.files,
            "tokens": left_out.tokens,
            "names": [{"path": file.path, "tokens": file.tokens} for file in left_out.named],
        }
        return b'],"leftOut":' + orjson.dumps(told) + b"}"


class Markdown:
    """A heading and a fenced block for each file."""

    content_type = "text/markdown; charset=utf-8"

    def __init__(self) -> None:
        self._fence = "```"
        self._ends_a_line = True

    def head(self, of: Summary) -> bytes:
        """The title, the numbers and the folders."""
        root = of.tree.root
        within = f", at most {counted(of.max_tokens, 'token')} of them here" if of.max_tokens is not None else ""
        lines = [f"# {_line(of.project.name)}", ""]
        if of.project.description:
            lines += [of.project.description.strip(), ""]
        lines += [f"{counted(root.files, 'file')}, {counted(root.tokens, 'token')} ({TOKENIZER}){within}.", ""]
        folders = [
            f"{'  ' * each.depth}{_line(each.path.rpartition('/')[2])}/ {each.tokens:,}"
            for each in of.tree.folders(of.tree_tokens)
        ]
        if folders:
            lines += ["## Folders and their tokens", "", "```text", *folders, "```", ""]
        return ("\n".join([*lines, "## Files"]) + "\n").encode("utf-8", "replace")

    def begin(self, file: File, part: Part, text: str, *, alone: bool) -> bytes:
        """The heading and the fence, which is longer than any in the text."""
        runs = max((len(each) for each in _BACKTICKS.findall(text)), default=0)
        self._fence = "`" * max(3, runs + 1, 0 if alone else _LONG_FENCE)
        self._ends_a_line = True
        where = f" of {_line(file.repository)}" if file.repository else ""
        tokens = counted(file.tokens, "token")
        what = tokens if part is Part.WHOLE else f"signatures only, {tokens} in all"
        heading = f"\n### {_line(file.path)}{where} ({what})\n\n{self._fence}{file.language or ''}\n"
        return heading.encode("utf-8", "replace")

    def text(self, text: str) -> bytes:
        """As it is."""
        if text:
            self._ends_a_line = text.endswith("\n")
        return text.encode("utf-8", "replace")

    def end(self) -> bytes:
        """The fence again."""
        return f"{'' if self._ends_a_line else chr(10)}{self._fence}\n".encode()

    def tail(self, left_out: LeftOut) -> bytes:
        """The names of what is left out."""
        if not left_out.files:
            return b""
        lines = ["", "## Left out", "", f"{counted(left_out.files, 'file')}, {counted(left_out.tokens, 'token')}:", ""]
        lines += [f"- {_line(file.path)} ({file.tokens:,})" for file in left_out.named]
        if len(left_out.named) < left_out.files:
            lines.append(f"- and {left_out.files - len(left_out.named):,} more")
        return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _line(text: str) -> str:
    """A name on one line, whatever is in it."""
    return _LINE.sub(" ", text)
