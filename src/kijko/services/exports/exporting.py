"""An export, opened and streamed: files by path, some hundred at a time, and their pieces some hundred at a time.

All of it is read as of one moment, or an index that is published meanwhile would let files out.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal
from uuid import UUID

from kijko.core.tenancy import OrgTx, Principal, Tenants
from kijko.core.turns import Turns
from kijko.services.exports import queries
from kijko.services.exports.joining import without_overlap
from kijko.services.exports.queries import File, Named
from kijko.services.exports.rules import Budget, Known, Part, Picked
from kijko.services.exports.tree import Tree
from kijko.services.exports.writing import Json, LeftOut, Markdown, Summary, Writer
from kijko.services.projects import access
from kijko.services.projects.errors import ProjectNotFound

Format = Literal["json", "markdown"]
Chosen = tuple[File, Part]

_SLOWEST_S: Final = 60.0
"""How long a client may take for one part: an export holds a connection, and its moment."""
_FILES: Final = 500
_PIECES: Final = 400
_BATCH_TOKENS: Final = 50_000
_FIRST: Final = UUID(int=0)
_WRITERS: Final[dict[Format, type[Writer]]] = {"json": Json, "markdown": Markdown}


@dataclass(frozen=True, slots=True)
class Export:
    """A file to come: its name, its kind and its parts."""

    name: str
    content_type: str
    parts: AsyncIterator[bytes]


async def open_export(
    database: Tenants, turns: Turns, principal: Principal, project_id: UUID, form: Format, max_tokens: int | None
) -> Export:
    """An export of what serves. A project without an index has an empty one.

    Args:
        turns: who is exporting.
        max_tokens: how many tokens it may have; None: all of it.

    Raises:
        ProjectNotFound: the caller may not read it, or there is none. Limited: they have several under way.
    """
    reader = database.reader(principal)
    await access.require(reader, project_id, "read")
    project = await queries.named(reader, project_id)
    if project is None:
        raise ProjectNotFound
    writer = _WRITERS[form]()

    async def parts() -> AsyncIterator[bytes]:
        with turns.take(principal.user_id):
            async with database.snapshot(principal, idle_s=_SLOWEST_S) as tx:
                async for part in _parts(tx, project_id, project, writer, max_tokens):
                    yield part

    return Export(project.name, writer.content_type, await _begun(parts()))


async def _begun(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same parts, of which the first is there: what goes wrong at the start is an answer of its own."""
    first = await anext(parts)

    async def all_of_them() -> AsyncIterator[bytes]:
        yield first
        async for part in parts:
            yield part

    return all_of_them()


async def _parts(
    reader: OrgTx, project_id: UUID, project: Named, writer: Writer, max_tokens: int | None
) -> AsyncIterator[bytes]:
    tree, known = Tree(), Known()
    async for file in _files(reader, project_id, with_heads=max_tokens is not None):
        tree.add(file)
        if max_tokens is not None:
            known.add(file)
    budget = Budget.of(max_tokens) if max_tokens is not None else None
    picked = known.picked(budget.files) if budget is not None else None
    names = budget.names if budget is not None else None
    yield writer.head(Summary(project_id, project, tree, max_tokens, names))
    left_out = LeftOut.of(picked, names or 0)
    async for batch in _batches(_chosen(_files(reader, project_id), picked, left_out)):
        async for part in _contents(reader, writer, batch):
            yield part
    yield writer.tail(left_out)


async def _chosen(files: AsyncIterator[File], picked: Picked | None, left_out: LeftOut) -> AsyncIterator[Chosen]:
    """The files that are there; the others are named as far as there is room."""
    place = 0
    async for file in files:
        part = picked.part(place) if picked is not None else Part.WHOLE
        place += 1
        if part is not None:
            yield file, part
        else:
            left_out.name(file)


async def _files(reader: OrgTx, project_id: UUID, *, with_heads: bool = False) -> AsyncIterator[File]:
    path, after = "", _FIRST
    while True:
        found = await queries.files(reader, project_id, path, after, _FILES, with_heads=with_heads)
        for file in found:
            yield file
        if len(found) < _FILES:
            return
        path, after = found[-1].path, found[-1].id


async def _batches(chosen: AsyncIterator[Chosen]) -> AsyncIterator[list[Chosen]]:
    batch: list[Chosen] = []
    tokens = 0
    async for file, part in chosen:
        if batch and (tokens + file.tokens > _BATCH_TOKENS or len(batch) >= _FILES):
            yield batch
            batch, tokens = [], 0
        batch.append((file, part))
        tokens += file.tokens
    if batch:
        yield batch


async def _contents(reader: OrgTx, writer: Writer, chosen: Sequence[Chosen]) -> AsyncIterator[bytes]:
    """Runs of whole files together, those by their heads one by one, in order."""
    for part, run in groupby(chosen, key=lambda each: each[1]):
        files = [file for file, _ in run]
        if part is Part.WHOLE:
            async for written in _whole(reader, writer, files):
                yield written
            continue
        for file in files:
            heads = await queries.heads(reader, file.id)
            text = "".join(f"{head.line}: {head.signature}\n" for head in heads)
            yield writer.begin(file, part, text, alone=True) + writer.text(text) + writer.end()


async def _whole(reader: OrgTx, writer: Writer, files: Sequence[File]) -> AsyncIterator[bytes]:
    place = ordinal = 0
    before: queries.Piece | None = None
    while True:
        found = await queries.pieces(reader, [file.id for file in files], place, ordinal - 1, _PIECES)
        out: list[bytes] = []
        for at, group in groupby(found, key=lambda piece: piece.place):
            pieces = list(group)
            texts = []
            for piece in pieces:
                texts.append(without_overlap(before, piece))
                before = piece
            text = "".join(texts)
            if at != place or ordinal == 0:
                if place:
                    out.append(writer.end())
                ends = len(found) < _PIECES or pieces[-1] is not found[-1]
                out.append(writer.begin(files[at - 1], Part.WHOLE, text, alone=ends))
            out.append(writer.text(text))
            place, ordinal = at, pieces[-1].ordinal + 1
        yield b"".join(out)
        if len(found) < _PIECES:
            break
    if place:
        yield writer.end()
