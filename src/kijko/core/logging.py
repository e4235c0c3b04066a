"""Logs: one line of JSON an event on stdout (plain text on a terminal), never with a token or a password in it.

configure(settings.log)             once, in a composition root
log = logging.getLogger(__name__)   or structlog.get_logger(): both come out the same way
emit("request", …)                  the canonical line of a request or a job: no processors, so it costs little
"""

import asyncio
import logging
import re
import sys
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import IO, Any, Final

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from kijko.settings import Log

Fields = dict[str, Any]  # Any: whatever is worth logging

request_id: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""The id of the request or job at work here; every line carries it."""

_HIDDEN: Final = "[hidden]"
_SECRET_NAME = re.compile(r"token|secret|passw|authorization|cookie|api_?key|encryption_key|verifier", re.IGNORECASE)
_SECRET_TEXT: Final = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 [hidden]"),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+\.?[\w-]*"), "[hidden]"),
    (re.compile(r"\b(kjk|sk|rk|whsec|ghp|gho|github_pat)_[\w-]{8,}|\bsk-[\w-]{16,}"), "[hidden]"),
    (re.compile(r"(?i)([a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+@"), r"\1[hidden]@"),
    (
        re.compile(r"(?i)((?:^|[\"'&?\s])(?:\w*(?:token|secret|passw\w*|code))[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,}]+"),
        r"\1[hidden]",
    ),
)


class _Sink:
    """Stdout. Inside an event loop, the lines of one turn of the loop leave in one write."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._waiting: list[bytes] = []

    def write(self, line: bytes) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._waiting.append(line)
            self.flush()
            return
        if not self._waiting:
            loop.call_soon(self.flush)
        self._waiting.append(line)

    def flush(self) -> None:
        lines, self._waiting = self._waiting, []
        try:
            self._stream.write(b"".join(lines))
            self._stream.flush()
        except RuntimeError:  # a signal's handler logs in the middle of its own thread's write
            self._waiting[:0] = lines
        except (OSError, ValueError):
            return  # nobody reads any more; a log must not end the work


class _Output:
    """How and where this process logs; replaced by `configure`."""

    def __init__(self, *, as_json: bool, sink: _Sink) -> None:
        self.as_json = as_json
        self.sink = sink

    def write(self, fields: Fields, *, scrub: bool) -> None:
        clean = {name: _scrubbed(value) for name, value in fields.items()} if scrub else fields
        self.sink.write((_as_json(clean) if self.as_json else _as_text(clean)) + b"\n")


_output = _Output(as_json=True, sink=_Sink(sys.stdout.buffer))


def configure(settings: Log) -> None:
    """Send structlog's and the standard library's logs of this process to stdout, one line each."""
    global _output  # noqa: PLW0603  # a process has one log
    as_json = settings.format == "json" or (settings.format == "auto" and not sys.stdout.isatty())
    _output = _Output(as_json=as_json, sink=_Sink(sys.stdout.buffer))
    level = logging.getLevelNamesMapping()[settings.level]
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        _write,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Handler()]
    root.setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _fatal
    for name in ("httpx", "httpcore", "stripe"):  # each call they make is ours to log
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"  # our own line says more


def _fatal(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The last words of a process that an exception ends; KeyboardInterrupt needs none."""
    if not issubclass(kind, KeyboardInterrupt):
        logging.getLogger("kijko").critical("process.died", exc_info=(kind, error, trace))


def emit(event: str, fields: Fields, *, level: str = "info") -> None:
    """Write a canonical line. Its fields are the caller's own words: they are not searched for secrets."""
    _output.write({"time": _now(), "level": level, "event": event, **fields}, scrub=False)


def flush() -> None:
    """Write what waits for the end of the loop's turn; for the last moment of a process."""
    _output.sink.flush()


def scrubbed(text: str) -> str:
    """The text without what looks like a token, a key, or a password in a URL."""
    for pattern, replacement in _SECRET_TEXT:
        text = pattern.sub(replacement, text)
    return text


def _scrubbed(value: object) -> object:
    """A field's value without secrets in its texts, before it is written as JSON."""
    match value:
        case str():
            return scrubbed(value)
        case dict():
            return {name: _masked(str(name), item) for name, item in value.items()}
        case list() | tuple():
            return [_scrubbed(item) for item in value]
        case None | bool() | int() | float():
            return value
        case _:
            return scrubbed(str(value))


def _masked(name: str, value: object) -> object:
    return _HIDDEN if _SECRET_NAME.search(name) else _scrubbed(value)


class _Handler(logging.Handler):
    """The standard library's records, in our form."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: Fields = {"level": record.levelname.lower(), "event": record.getMessage(), "logger": record.name}
        if record.exc_info:
            fields["exception"] = logging.Formatter().formatException(record.exc_info)
        _log(fields)


def _write(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    _log(dict(event))
    raise structlog.DropEvent  # it is written


def _log(fields: Fields) -> None:
    masked = {name: _HIDDEN if _SECRET_NAME.search(name) else value for name, value in fields.items()}
    current = request_id.get()
    if current:
        masked.setdefault("request_id", current)
    _output.write({"time": _now(), **masked}, scrub=True)


_second: tuple[int, str] = (0, "")


def _now() -> str:
    global _second  # noqa: PLW0603  # a line a request: the second is written once and not a thousand times
    instant = time.time()
    whole = int(instant)
    if whole != _second[0]:
        _second = (whole, f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}")
    return f"{_second[1]}.{int((instant - whole) * 1000):03d}Z"


def _as_json(fields: Fields) -> bytes:
    return orjson.dumps(fields, default=str, option=orjson.OPT_NON_STR_KEYS)


def _as_text(fields: Fields) -> bytes:
    rest = {name: value for name, value in fields.items() if name not in {"time", "level", "event", "exception"}}
    said = " ".join(f"{name}={value}" for name, value in rest.items() if value is not None)
    line = f"{fields['time'][11:19]} {fields.get('level', 'info'):<7} {fields.get('event')} {said}".rstrip()
    return (line + (f"\n{fields['exception']}" if "exception" in fields else "")).encode()
