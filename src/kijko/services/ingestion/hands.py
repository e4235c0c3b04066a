"""The jobs of the processes that read files. Imported there and nowhere else: what it needs takes tens of megabytes."""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Final, TypeAlias
from uuid import uuid4

import orjson

from kijko.clients.git.caps import Caps
from kijko.clients.git.objects import Entry, Objects, unsafe
from kijko.clients.git.past import history
from kijko.core.crew.marks import mark
from kijko.core.words import counted
from kijko.services.ingestion.columns import numbers, texts
from kijko.services.ingestion.parts import Changes, Listed, Name, Read, Source, Unindexed, Wanted, Wishes
from kijko.services.reading import FileRead, Options, Selection, Skipped, read_file, warm, without_secrets
from kijko.services.search.analysis import analyse
from kijko.services.search.inverting import Inverted, invert

log = logging.getLogger(__name__)

_NAMES: Final = 2000
_SKIPPED: Final = 50
_LONGEST_SHOWN: Final = 300
_CHUNKS: Final = 500
_TEXT: Final = 500_000
_GITIGNORES: Final = 1000
_GITIGNORE_BYTES: Final = 100_000
_ALL_GITIGNORES_BYTES: Final = 1_000_000
"""Patterns are compiled before they are used: 100 kB of them take up to 0.7 s and 40 MB."""
_ASKED: Final = 64
_NOT_VERSION: Final = ~(0xC000 << 48) & ~(0xF000 << 64)
_VERSION_5: Final = (0x8000 << 48) | (5 << 76)
"""RFC 9562's variant and version, where a digest becomes a UUID."""

Content: TypeAlias = tuple[Wanted, bytes | None]
Outcome: TypeAlias = tuple[Wanted, FileRead | Skipped | Exception | None]


__all__ = ["index_files", "list_repository", "list_uploads", "read_files", "read_history", "warm"]


def options_of(wishes: Wishes) -> Options:
    """The same, as reading has it."""
    return Options(
        strategy=wishes.strategy,
        signatures=wishes.signatures,
        imports=wishes.imports,
        structure=wishes.structure,
        annotations=wishes.annotations,
        anonymize_secrets=wishes.anonymize_secrets,
        salt=wishes.salt,
    )


def key_of(wishes: Wishes) -> str:
    """What says whether a file must be read again: how it is read, and by whom it is cut."""
    key = options_of(wishes).key
    if wishes.hook is None:
        return key
    return f"{key}-{hashlib.sha256(wishes.hook.url.encode()).hexdigest()[:8]}"


# ---- names -----------------------------------------------------------------------------------------------------------


def list_repository(source: Source, wishes: Wishes, caps: Caps) -> Iterator[Listed]:
    """Every name in a commit: taken, or skipped with its reason. Raises GitFailure: it is not whole."""
    assert source.folder is not None  # noqa: S101  # a repository has one
    objects = Objects(source.folder, caps)
    picks = _selections(source, wishes, _gitignores(objects, source.commit))
    listing = _Listing(key_of(wishes))
    for at, entry in enumerate(objects.entries(source.commit), 1):
        mark(at)
        name = entry.name
        why = _why_not(entry, picks, caps)
        if why is not None or name is None:
            listing.skip(name or _shown(entry.path), why or "its name cannot be used")
        else:
            listing.take(Name(name, entry.blob, entry.size or 0))
        if listing.full:
            yield listing.flush()
    yield listing.flush()


def list_uploads(source: Source, wishes: Wishes, names: Sequence[Name], most_bytes: int) -> Iterator[Listed]:
    """The same of uploaded files."""
    picks = _selections(source, wishes, {})
    listing = _Listing(key_of(wishes))
    for name in names:
        why = next(filter(None, (each.skip(name.path, name.size) for each in picks)), None)
        if why is None and name.size > most_bytes:
            why = _too_large(most_bytes)
        if why is None:
            listing.take(name)
        else:
            listing.skip(name.path, why)
    yield listing.flush()


class _Listing:
    """Names until there are enough of them."""

    def __init__(self, options_key: str) -> None:
        self._key = options_key
        self._taken: list[Name] = []
        self._skipped: list[tuple[str, str]] = []
        self._skipped_total = 0

    @property
    def full(self) -> bool:
        return len(self._taken) >= _NAMES

    def take(self, name: Name) -> None:
        self._taken.append(name)

    def skip(self, path: str, why: str) -> None:
        self._skipped_total += 1
        if len(self._skipped) < _SKIPPED:
            self._skipped.append((path[:_LONGEST_SHOWN], why))

    def flush(self) -> Listed:
        taken, skipped, total = self._taken, self._skipped, self._skipped_total
        self._taken, self._skipped, self._skipped_total = [], [], 0
        return Listed(
            files=len(taken),
            size_bytes=sum(each.size for each in taken),
            options_key=self._key,
            paths=texts(each.path for each in taken),
            content_keys=texts(each.content_key for each in taken),
            sizes=numbers(each.size for each in taken),
            upload_ids=texts(str(each.upload_id) if each.upload_id else None for each in taken),
            skipped=skipped,
            skipped_total=total,
        )


def _selections(source: Source, wishes: Wishes, gitignores: dict[str, bytes]) -> tuple[Selection, ...]:
    """The project's patterns and the repository's: a file has to pass both."""
    project = Selection.of(gitignores, wishes.include, wishes.exclude)
    if not source.include and not source.exclude:
        return (project,)
    return (project, Selection.of({}, source.include, source.exclude))


def _gitignores(objects: Objects, commit: str) -> dict[str, bytes]:
    """Folder → its .gitignore."""
    found: dict[str, str] = {}
    room = _ALL_GITIGNORES_BYTES
    for entry in objects.entries(commit):
        if entry.path.rpartition(b"/")[2] != b".gitignore" or not entry.is_file or entry.name is None:
            continue
        size = entry.size or 0
        if size <= min(_GITIGNORE_BYTES, room) and len(found) < _GITIGNORES:
            room -= size
            found[entry.name.rpartition("/")[0]] = entry.blob
    contents = dict(objects.read(sorted(set(found.values())))) if found else {}
    return {folder: content for folder, blob in found.items() if (content := contents.get(blob)) is not None}


def _why_not(entry: Entry, picks: Sequence[Selection], caps: Caps) -> str | None:
    name = entry.name
    if name is None:
        return unsafe(entry.path)
    for each in picks:
        if (why := each.skip(name, entry.size, is_file=entry.is_file)) is not None:
            return why
    if not entry.is_file:
        return "it is a symbolic link or a submodule, which lead elsewhere"
    if entry.size is None or entry.size > caps.max_file_bytes:
        return _too_large(caps.max_file_bytes)
    return None


def _too_large(most: int) -> str:
    return f"it is larger than {counted(most, 'byte')}"


def _shown(path: bytes) -> str:
    """A name that is no ordinary one, for people: what cannot be shown is escaped."""
    text = path[:_LONGEST_SHOWN].decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


# ---- contents --------------------------------------------------------------------------------------------------------


def read_files(source: Source, wishes: Wishes, wanted: Sequence[Wanted], caps: Caps) -> Iterator[Read]:
    """Reads, cuts and redacts files. Raises GitFailure: the repository is not whole."""
    batch = _Batch(source, key_of(wishes))
    reading = _read_plainly if wishes.hook is None else _read_by_webhook
    for one, read in reading(_contents(source, wanted, caps), wishes):
        if read is None:
            batch.settle(one, "skipped", _too_large(caps.max_file_bytes))
        elif isinstance(read, Exception):
            log.warning("a file of %d bytes could not be read: %s", one.size, type(read).__name__, exc_info=read)
            batch.settle(one, "failed", f"it could not be read: {type(read).__name__}")
        elif isinstance(read, Skipped):
            batch.settle(one, "skipped", read.reason)
        else:
            batch.add(one, read)
        if batch.full:
            yield batch.flush()
    yield batch.flush()


def _read_plainly(files: Iterable[Content], wishes: Wishes) -> Iterator[Outcome]:
    options = options_of(wishes)
    for one, content in files:
        mark(one.place)
        try:
            yield one, None if content is None else read_file(one.path, content, options)
        except Exception as error:
            yield one, error


def _read_by_webhook(files: Iterable[Content], wishes: Wishes) -> Iterator[Outcome]:
    """The same, with the cuts of the project's webhook. Files wait for it together, some at a time."""
    from kijko.services import chunking  # noqa: PLC0415  # few projects have a webhook, and it takes memory

    assert wishes.hook is not None  # noqa: S101  # it is asked because there is one
    options = options_of(wishes)
    left = iter(files)
    while some := list(islice(left, _ASKED)):
        whole = [(one, content) for one, content in some if content is not None]
        yield from ((one, None) for one, content in some if content is None)
        try:
            read = list(chunking.read_files([(one.path, content) for one, content in whole], options, wishes.hook))
        except Exception:
            log.exception("the webhook's files are read without it")
            yield from _read_plainly(whole, wishes)
            continue
        for (one, _), each in zip(whole, read, strict=True):
            mark(one.place)
            yield one, each


def _contents(source: Source, wanted: Sequence[Wanted], caps: Caps) -> Iterator[tuple[Wanted, bytes | None]]:
    if source.folder is None:
        for one in wanted:
            yield one, one.content
        return
    found = Objects(source.folder, caps).read(one.content_key for one in wanted)
    for one, (_, content) in zip(wanted, found, strict=True):
        yield one, content


class _Batch:
    """Files that were read, until they are enough to be kept."""

    def __init__(self, source: Source, options_key: str) -> None:
        self._source = source
        self._key = options_key
        self._clear()

    def _clear(self) -> None:
        self._files: list[tuple[str | None, ...]] = []
        self._chunks: list[tuple[str | None, ...]] = []
        self._outcomes: list[tuple[str | None, ...]] = []
        self._places: list[int] = []
        self._text = self._size = self._tokens = self._failed = 0

    @property
    def full(self) -> bool:
        return len(self._chunks) >= _CHUNKS or self._text >= _TEXT

    def settle(self, one: Wanted, state: str, reason: str | None, secrets: str | None = None) -> None:
        self._places.append(one.place)
        self._outcomes.append((str(one.place), state, reason, secrets))
        self._size += one.size
        self._failed += state == "failed"

    def add(self, one: Wanted, read: FileRead) -> None:
        file_id = uuid4().hex
        secrets = [{"line": each.line, "kind": each.kind, "placeholder": each.placeholder} for each in read.secrets]
        self.settle(one, "read", read.note, orjson.dumps(secrets).decode() if secrets else None)
        upload = str(one.upload_id) if one.upload_id else None
        structure = orjson.dumps(read.structure).decode() if read.structure is not None else None
        counts = (one.size, read.lines, read.original_tokens, read.tokens, len(read.pieces))
        self._files.append((file_id, upload, one.path, one.content_key, read.language, *map(str, counts), structure))
        ids = _chunk_ids(self._source, f"{one.path}\0{one.content_key}\0{self._key}\0")
        for ordinal, piece in enumerate(read.pieces):
            text = piece.text
            spans = (piece.start_byte, piece.end_byte, piece.start_line, piece.end_line, piece.tokens)
            self._chunks.append((file_id, str(ordinal), next(ids), *map(str, spans), piece.kind, piece.symbol, text))
            self._text += len(text)
        self._tokens += read.tokens

    def flush(self) -> Read:
        made = Read(
            options_key=self._key,
            places=self._places,
            files=_columns(self._files, 11),
            chunks=_columns(self._chunks, 11),
            outcomes=_columns(self._outcomes, 4),
            pieces=len(self._chunks),
            size_bytes=self._size,
            tokens=self._tokens,
            failed=self._failed,
        )
        self._clear()
        return made


def _chunk_ids(source: Source, begin: str) -> Iterator[str]:
    """uuid5 of the project and `source file ordinal`, for each ordinal: the same chunk has the same id at each run."""
    start = hashlib.sha1(source.project_id.bytes + f"{source.id}\0{begin}".encode(), usedforsecurity=False)
    for ordinal in count():
        own = start.copy()
        own.update(str(ordinal).encode())
        number = int.from_bytes(own.digest()[:16]) & _NOT_VERSION | _VERSION_5
        yield f"{number:032x}"


def _columns(rows: Sequence[tuple[str | None, ...]], width: int) -> tuple[str, ...]:
    return tuple(texts(column) for column in zip(*rows, strict=True)) if rows else ("{}",) * width


# ---- terms ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kept:
    """A chunk as it is kept, as far as the search index asks."""

    text: str
    symbol: str | None


def index_files(kept: bytes) -> Iterator[Inverted | Unindexed]:
    """A segment of the search index, of files that are kept, as `publishing_queries.Page` has them.

    A file that cannot be indexed is told, and the others are indexed without it.
    """
    entries: list[tuple[int, bytes]] = []
    for at, file in enumerate(orjson.loads(kept), 1):
        mark(at)
        pieces = [_Kept(text, symbol) for _, symbol, text in file["chunks"]]
        try:
            terms = analyse(file["path"], file["language"], pieces)
        except Exception as error:
            log.warning("a file's words could not be indexed: %s", type(error).__name__, exc_info=error)
            yield Unindexed(file["id"], type(error).__name__)
        else:
            entries += zip((number for number, _, _ in file["chunks"]), terms, strict=True)
    if entries:
        yield invert(sorted(entries))


# ---- history ---------------------------------------------------------------------------------------------------------


def read_history(source: Source, caps: Caps, wishes: Wishes) -> Iterator[Changes]:
    """Who changed each file last, as far as commits were fetched. Raises GitFailure: it is not whole."""
    options = options_of(wishes)
    assert source.folder is not None  # noqa: S101  # a repository has one
    found = iter(history(source.folder, source.commit, caps).items())
    while part := list(islice(found, _NAMES)):
        known = [(path.decode(), each) for path, each in part if _is_text(path)]
        told = (
            {
                "commit": each.commit, "at": each.at.isoformat(), "author": each.author,
                "subject": without_secrets(each.subject, options), "changes": each.changes,
            }
            for _, each in known
        )  # fmt: skip
        yield Changes(texts(path for path, _ in known), texts(orjson.dumps(each).decode() for each in told))


def _is_text(path: bytes) -> bool:
    try:
        return "\0" not in path.decode()
    except UnicodeDecodeError:
        return False
