"""Is the right code found? Search as the API asks for it, against BM25 over windows and over syntax chunks, in one run.

`python -m bench.retrieval [folder …]`: each folder is a package's source; without any, some that are installed here.
The first baseline is windows of 60 lines with plain words. The second is chonkie's published way of cutting code
(syntax nodes put together up to 2,048 characters, larger ones entered), with identifiers split: done again here, since
that package fetches its grammars from the network when it runs.
"""

import asyncio
import math
import re
import sys
import sysconfig
import tempfile
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import tree_sitter
import tree_sitter_python
from psycopg import sql

from bench.retrieval_set import Package, Question, package
from bench.search import Project, _become, _project
from kijko.core import migrations
from kijko.core.db import Database
from kijko.core.tenancy import Tenants
from kijko.core.tokenizer import count
from kijko.local import postgres
from kijko.local.stack import Stack
from kijko.services import search
from kijko.services.reading import FileRead, Options, read_file
from kijko.services.search import joining
from kijko.services.search.asking import asked
from kijko.services.search.joining import results
from kijko.services.search.queries import SEARCH, Found

INSTALLED = (
    "kombu",
    "redis",
    "celery",
    "httpx",
    "hypothesis",
    "coverage",
    "_pytest",
    "psutil",
    "schemathesis",
    "click",
)
WINDOW, CHONKIE, LOOKED = 60, 2048, 60
BARS = {"r5": 12.0, "2k": 14.0, "tokens": 0.8}
_WORD = re.compile(r"\w+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
Terms = Callable[[str], list[str]]


@dataclass(frozen=True)
class Result:
    """Lines that were found."""

    path: str
    start_line: int
    end_line: int
    tokens: int


@dataclass(frozen=True)
class Score:
    """How one question was answered."""

    kind: str
    first: bool
    five: bool
    in_2k: bool
    in_4k: bool
    tokens: int


def judge(question: Question, results: Sequence[Result]) -> Score:
    """The definition is found where its first line is among a result's lines."""
    place, read, tokens = None, 0, []
    for at, each in enumerate(results):
        read += each.tokens
        tokens.append(each.tokens)
        if each.path == question.path and each.start_line <= question.line <= each.end_line:
            place = at
            break
    found = place is not None
    five = sum(each.tokens for each in results[:5])
    return Score(
        question.kind,
        place == 0,
        found and (place or 0) < 5,
        found and read <= 2000,
        found and read <= 4000,
        five,
    )


# ---- the baselines ---------------------------------------------------------------------------------------------------


def windows(text: str) -> Iterator[tuple[int, int]]:
    """First and last lines of windows of 60 lines."""
    lines = text.count("\n") + 1
    for first in range(1, lines + 1, WINDOW):
        yield first, min(first + WINDOW - 1, lines)


_PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))


def nodes(text: str) -> Iterator[tuple[int, int]]:
    """First and last lines of neighbouring syntax nodes that have 2,048 characters together."""
    spans = list(_small(_PARSER.parse(text.encode()).root_node))
    at = 0
    while at < len(spans):
        first = last = at
        while last + 1 < len(spans) and spans[last + 1].end_byte - spans[first].start_byte <= CHONKIE:
            last += 1
        yield spans[first].start_point.row + 1, spans[last].end_point.row + 1
        at = last + 1


def _small(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    for child in node.children:
        if child.end_byte - child.start_byte > CHONKIE and child.children:
            yield from _small(child)
        else:
            yield child


def plain(text: str) -> list[str]:
    """Words as they are written, in lower case."""
    return [word.lower() for word in _WORD.findall(text)]


def split(text: str) -> list[str]:
    """Identifiers' words, and the identifier where there are several."""
    found = []
    for word in _WORD.findall(text):
        parts = [part.lower() for part in _PART.findall(word)]
        found += parts
        if len(parts) > 1:
            found.append(word.lower())
    return found


class Bm25:
    """Okapi's BM25 (k1 1.2, b 0.75) over pieces of a package."""

    def __init__(self, of: Package, cut: Callable[[str], Iterator[tuple[int, int]]], terms: Terms) -> None:
        self._terms = terms
        self._results: list[Result] = []
        self._lengths: list[int] = []
        self._postings: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for path, text in of.files.items():
            lines = text.split("\n")
            for first, last in cut(text):
                piece = "\n".join(lines[first - 1 : last])
                found = terms(piece)
                for term, times in Counter(found).items():
                    self._postings[term].append((len(self._results), times))
                self._results.append(Result(path, first, last, count(piece)))
                self._lengths.append(len(found))

    def __call__(self, question: str) -> list[Result]:
        """The best pieces."""
        total, average = len(self._results), sum(self._lengths) / len(self._results)
        scores: Counter[int] = Counter()
        for term in self._terms(question):
            postings = self._postings.get(term, ())
            idf = math.log(1 + (total - len(postings) + 0.5) / (len(postings) + 0.5))
            for at, times in postings:
                scores[at] += idf * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * self._lengths[at] / average))
        best = sorted(scores.items(), key=lambda one: (-one[1], one[0]))
        return [self._results[at] for at, _ in best[:LOOKED]]


# ---- ours ------------------------------------------------------------------------------------------------------------


class Ours:
    """A package as a project of an organization, searched by the statement of the API as its role."""

    def __init__(self, server: postgres.Server, of: Package) -> None:
        self._of = of
        with psycopg.connect(server.url("postgres"), autocommit=True) as owner:
            self._project: Project = _project(owner)
            asyncio.run(self._ingest(server, owner))
        self._api = psycopg.connect(server.url("kijko_api"))
        self._api.execute(b"prepare found as " + SEARCH.encoded)
        self.wrong = 0

    async def _ingest(self, server: postgres.Server, owner: psycopg.Connection[Any]) -> None:
        organization, _, project = self._project
        upload, ingestion, entries = uuid.uuid4(), uuid.uuid4(), []
        owner.execute(
            "insert into uploads (id, organization_id, project_id, user_id, name, size_bytes, content_type, sha256, "
            "storage_key) values (%s, %s, %s, %s, 'all', 1, 'text/plain', repeat('a', 64), 'bench')",
            (upload, organization, project, upload),
        )
        for path, text in self._of.files.items():
            read = read_file(path, text.encode(), Options())
            if isinstance(read, FileRead):
                first = len(entries) + 1
                _write(owner, self._project, upload, path, read, first)
                entries += enumerate(search.analyse(path, read.language, read.pieces), first)
        pool = await Database.connect(
            server.url("kijko_worker"),
            pool_size=1,
            statement_timeout_ms=60_000,
            connect_timeout_s=5,
            acquire_timeout_s=5,
            prepared=True,
            application_name="bench",
        )
        tenants = Tenants(pool)
        for at in range(0, len(entries), 4000):
            await search.stage(tenants, organization, project, ingestion, entries[at : at + 4000])
        async with tenants.system("bench") as tx:
            await search.publish(tx, organization, project, ingestion, [])
        await pool.close()

    def __call__(self, question: str) -> list[Result]:
        """What the API would answer."""
        found = asked(question)
        ask = sql.SQL("execute found ({}, {}, {}, {}, null, null)").format(
            str(self._project[2]), found.terms, found.weights, LOOKED
        )
        with self._api.transaction():
            _become(self._api, self._project)
            rows = self._api.execute(ask).fetchall()
        return [self._checked(each) for each in results([Found(*row) for row in rows], LOOKED)]

    def _checked(self, each: joining.Result) -> Result:
        lines = self._of.files[each.path].split("\n")[each.start_line - 1 : each.end_line]
        # A piece may begin and end inside a line; a placeholder stands for a secret.
        if each.content.strip() not in "\n".join(lines) and "[" not in each.content:
            self.wrong += 1
        return Result(each.path, each.start_line, each.end_line, count(each.content))


def _write(
    owner: psycopg.Connection[Any], of: Project, upload: uuid.UUID, path: str, read: FileRead, number: int
) -> None:
    organization, _, project = of
    file = uuid.uuid4()
    owner.execute(
        "insert into source_files (id, organization_id, project_id, upload_id, live, path, content_key, options_key, "
        "size_bytes, lines, original_tokens, tokens, chunks) "
        "values (%s, %s, %s, %s, true, %s, 'k', 'o', 1, %s, %s, %s, %s)",
        (
            *(file, organization, project, upload, path),
            *(read.lines, read.original_tokens, read.tokens, len(read.pieces)),
        ),
    )
    with owner.cursor() as cursor:
        cursor.executemany(
            "insert into chunks (file_id, ordinal, id, organization_id, project_id, number, start_byte, end_byte, "
            "start_line, end_line, tokens, kind, symbol, content) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    *(file, at, uuid.uuid4(), organization, project, number + at, piece.start_byte, piece.end_byte),
                    *(piece.start_line, piece.end_line, piece.tokens, piece.kind, piece.symbol),
                    piece.text.replace("\x00", ""),
                )
                for at, piece in enumerate(read.pieces)
            ],
        )


# ---- the run ---------------------------------------------------------------------------------------------------------


def measure(folders: dict[str, Path]) -> tuple[dict[str, list[Score]], int, int]:
    """The scores by system; how many questions; how many results whose lines were not what they claim."""
    scores: defaultdict[str, list[Score]] = defaultdict(list)
    wrong = questions = 0
    with tempfile.TemporaryDirectory(prefix="kijko-r-") as home:
        stack = Stack(Path(home) / "home", parts=("postgres",))
        stack.start()
        try:
            server = stack.database()
            migrations.migrate(server.url("postgres"), Path(__file__).parents[1] / "supabase" / "migrations")
            postgres.give_logins(server)
            for name, folder in folders.items():
                made = package(name, folder)
                ours = Ours(server, made)
                systems: dict[str, Callable[[str], list[Result]]] = {
                    "windows, plain words": Bm25(made, windows, plain),
                    "syntax chunks, split": Bm25(made, nodes, split),
                    "search": ours,
                }
                for label, find in systems.items():
                    scores[label] += [judge(each, find(each.text)) for each in made.questions]
                wrong += ours.wrong
                questions += len(made.questions)
                print(f"{name}: {len(made.files)} files, {len(made.questions)} questions", flush=True)
        finally:
            stack.remove()
    return dict(scores), questions, wrong


def _row(scores: Sequence[Score]) -> tuple[float, float, float, float, float]:
    def share(hits: Iterator[bool]) -> float:
        return 100 * sum(hits) / max(len(scores), 1)

    return (
        share(each.first for each in scores),
        share(each.five for each in scores),
        share(each.in_2k for each in scores),
        share(each.in_4k for each in scores),
        sum(each.tokens for each in scores) / max(len(scores), 1),
    )


def lines(scores: dict[str, list[Score]], questions: int, wrong: int) -> list[str]:
    """The tables, all together and by kind, and the bars."""
    out = [f"{questions:,} questions                r1      r5   in 2k   in 4k   tokens of five"]
    for kind in ("all", "sentence", "name", "test"):
        for label, found in scores.items():
            row = _row([each for each in found if kind in ("all", each.kind)])
            out.append(f"{kind:<9} {label:<22}" + "".join(f"{each:8.1f}" for each in row[:4]) + f"{row[4]:12,.0f}")
    ours, theirs = _row(scores["search"]), _row(scores["syntax chunks, split"])
    out.append(
        f"over syntax chunks: r5 {ours[1] - theirs[1]:+.1f} (bar +{BARS['r5']:.0f}), in 2k {ours[2] - theirs[2]:+.1f} "
        f"(bar +{BARS['2k']:.0f}), tokens {ours[4] / theirs[4]:.2f} of its (bar {BARS['tokens']}); "
        f"results whose lines are not what they claim: {wrong}"
    )
    return out


def main() -> None:
    """Measures and prints."""
    site = Path(sysconfig.get_path("purelib"))
    folders = {Path(each).name: Path(each) for each in sys.argv[1:]} or {each: site / each for each in INSTALLED}
    print("\n".join(lines(*measure(folders))))


if __name__ == "__main__":
    main()
