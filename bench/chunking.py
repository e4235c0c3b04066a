"""Cutting by syntax beside the bare parse of the same bytes, in one run; then whole files, and two processes.

The corpus is what the installed packages bring: mostly Python, with JavaScript, TypeScript, CSS, C and others. Times of
one process are its CPU's, the best of several turns that take turns; those of two processes are the clock's.
"""

import os
import site
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import psutil

from kijko.core.tokenizer import count
from kijko.services.reading import Options, read_file, warm
from kijko.services.reading.cutting import Cutter
from kijko.services.reading.detection import detect
from kijko.services.reading.grammars import parse, syntax
from kijko.services.reading.refusal import by_content, by_path
from kijko.services.reading.syntax import Tiler

_MB = 1_000_000
_EACH = 6 * _MB
_LARGEST = 400_000
_TURNS = 4
_BYTES_A_TOKEN = 4.6

File = tuple[str, str, bytes]
"""Path, language, content."""


class _Uncounted(Cutter):
    """Guesses where `Cutter` counts, so that cutting is measured without the counting of tokens."""

    def fits(self, begin: int, end: int) -> bool:
        return end - begin <= self.budget * _BYTES_A_TOKEN


@dataclass(frozen=True)
class Measured:
    """MB/s of each, and MB of memory."""

    files: int
    megabytes: float
    languages: list[tuple[str, float, float, float]]
    """Name, MB, bare, cut."""
    bare: float
    cut: float
    counted: float
    whole: float
    parse_clock: float
    two_parse_clock: float
    two_clock: float
    whole_clock: float
    before: float
    after: float


def corpus() -> list[File]:
    """Files that would be taken, at most so many bytes of each language."""
    found: list[File] = []
    sizes: dict[str, int] = defaultdict(int)
    root = Path(site.getsitepackages()[0])
    for path in sorted(root.rglob("*.*")):
        name = str(path.relative_to(root))
        if not path.is_file() or by_path(name.replace("node_modules", "modules"), path.stat().st_size) is not None:
            continue
        content = path.read_bytes()
        if not 0 < len(content) <= _LARGEST or not content.isascii():
            continue
        language = detect(name, content)
        if language is None or not language.grammar or sizes[language.name] > _EACH or by_content(content, language):
            continue
        sizes[language.name] += len(content)
        found.append((name, language.name, content))
    return found


def _bare(files: list[File]) -> None:
    for _, language, content in files:
        of = syntax(language)
        assert of is not None
        of.parser.parse(content)


def _cut(files: list[File]) -> None:
    for _, language, content in files:
        of = syntax(language)
        assert of is not None
        root = parse(of, content)
        cutter = _Uncounted(content, 512, origin=int, before=int, whole=int, lines=content, plain=True)
        if root is not None:
            Tiler(of, cutter).cut(root)


def _count(files: list[File]) -> None:
    for _, _, content in files:
        count(content.decode())


def _whole(files: list[File]) -> None:
    options = Options()
    for path, _, content in files:
        read_file(path, content, options)


def _cpu_s(work: list[Callable[[list[File]], None]], files: list[File]) -> list[float]:
    best = [float("inf")] * len(work)
    for _ in range(_TURNS):
        for index, each in enumerate(work):
            began = time.process_time()
            each(files)
            best[index] = min(best[index], time.process_time() - began)
    return best


_FILES: list[File] = []


def _part(work_and_part: tuple[str, int, int]) -> int:
    work, part, of = work_and_part
    {"bare": _bare, "cut": _cut, "whole": _whole}[work](_FILES[part::of])
    return os.getpid()


def _clock_s(work: str, processes: int) -> float:
    """Seconds that so many processes take for all files. They are forked with everything loaded."""
    best = float("inf")
    with get_context("fork").Pool(processes) as pool:
        pool.map(_part, [(work, part, processes * 50) for part in range(processes)], chunksize=1)
        for _ in range(_TURNS - 1):
            began = time.perf_counter()
            pool.map(_part, [(work, part, processes * 4) for part in range(processes * 4)], chunksize=1)
            best = min(best, time.perf_counter() - began)
    return best


def measure() -> Measured:
    """All of it; about two minutes."""
    process = psutil.Process()
    files = corpus()
    before = process.memory_info().rss / _MB
    warm()
    megabytes = sum(len(content) for _, _, content in files) / _MB
    by_language: dict[str, list[File]] = defaultdict(list)
    for each in files:
        by_language[each[1]].append(each)
    languages = []
    bare_s = cut_s = 0.0
    for language, some in by_language.items():
        size = sum(len(content) for _, _, content in some) / _MB
        bare, cut = _cpu_s([_bare, _cut], some)
        bare_s, cut_s = bare_s + bare, cut_s + cut
        languages.append((language, size, size / bare, size / cut))
    counted, whole = _cpu_s([_count, _whole], files)
    after = process.memory_info().rss / _MB
    _FILES[:] = files
    return Measured(
        len(files),
        megabytes,
        sorted(languages, key=lambda each: -each[1]),
        megabytes / bare_s,
        megabytes / cut_s,
        megabytes / counted,
        megabytes / whole,
        megabytes / _clock_s("bare", 1),
        megabytes / _clock_s("bare", 2),
        megabytes / _clock_s("cut", 2),
        megabytes / _clock_s("whole", 2),
        before,
        after,
    )


def lines(of: Measured) -> list[str]:
    """The table."""
    out = [
        "",
        f"reading {of.files} files, {of.megabytes:.1f} MB, MB/s of one CPU:",
        "language  MB  bare parse  cut  share",
    ]
    out += [
        f"  {name:<12} {size:6.2f} {bare:8.2f} {cut:8.2f} {cut / bare:6.2f}"
        for name, size, bare, cut in of.languages
        if size > 0.1
    ]
    return [
        *out,
        f"syntax chunking {of.cut:.2f}, {of.cut / of.bare:.2f} of the bare parse's {of.bare:.2f} (bar 0.9)",
        f"by the clock, two processes {of.two_clock:.2f}, {of.two_clock / of.parse_clock:.2f} of one bare parse's "
        f"{of.parse_clock:.2f} (bar 1.6); two bare parses {of.two_parse_clock:.2f}, "
        f"{of.two_parse_clock / of.parse_clock:.2f} of one",
        f"tokens alone {of.counted:.2f}; whole files with tokens, secrets and structure {of.whole:.2f}, "
        f"by two processes {of.whole_clock:.2f} by the clock",
        f"memory of one process: {of.before:.0f} MB with the corpus, {of.after:.0f} MB after all of it",
    ]
