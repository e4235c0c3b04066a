"""The strategy `custom`: a real server on loopback cuts the files, well, badly or not at all."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from kijko.clients.chunker import Chunker, Hook, NoCuts, read_answer
from kijko.services.chunking import read_custom, read_files
from kijko.services.reading import FileRead, Options, read_file

_KEYS = (b"new key" * 5, b"old key" * 5)
_TEXT = b"import os\n\n\ndef one():\n    return 1\n\n\ndef two():\n    return 2\n"
_LINES = _TEXT.count(b"\n")
_HALVES = {
    "chunks": [{"startLine": 1, "endLine": 5, "kind": "head", "symbol": "one"}, {"startLine": 6, "endLine": _LINES}]
}

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Server:
    """Answers as `answer` says and remembers what it was asked."""

    url: str = ""
    answer: Answer = lambda _: None
    came: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def hook(self, *, timeout_s: float = 5, path: str = "/cut") -> Hook:
        return Hook(self.url + path, _KEYS, frozenset({self.url.removeprefix("http://")}), timeout_s)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.asked.append(({name.lower(): value for name, value in self.headers.items()}, body))
            made.came.set()
            with contextlib.suppress(OSError):
                made.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    made.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield made
    http.shutdown()
    http.server_close()


@pytest.fixture
async def chunker(server: Server) -> AsyncIterator[Chunker]:
    async with Chunker(server.hook()) as made:
        yield made


def says(told: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return answer


async def _read(chunker: Chunker, content: bytes = _TEXT, path: str = "a.py", **options: Any) -> FileRead:
    found = await read_custom(chunker, path, content, Options(strategy="custom", **options))
    assert isinstance(found, FileRead)
    return found


async def test_a_file_is_cut_where_the_webhook_says(server: Server, chunker: Chunker) -> None:
    server.answer = says(_HALVES)
    found = await _read(chunker)
    assert [(each.start_line, each.end_line, each.kind, each.symbol) for each in found.pieces] == [
        (1, 5, "head", "one"),
        (6, 9, "code", None),
    ]
    assert found.note is None
    assert found.structure is not None


async def test_it_gets_the_file_signed_with_each_key(server: Server, chunker: Chunker) -> None:
    server.answer = says(_HALVES)
    await _read(chunker)
    headers, body = server.asked[0]
    for key in _KEYS:
        told = Webhook(key).verify(body, headers)
        assert told == {
            "path": "a.py",
            "language": "python",
            "content": _TEXT.decode(),
            "lines": _LINES,
            "maxTokens": 512,
        }
    assert "old" not in headers["webhook-signature"]


async def test_it_does_not_get_to_see_secrets(server: Server, chunker: Chunker) -> None:
    server.answer = says({"chunks": [{"startLine": 1, "endLine": 1}]})
    found = await _read(chunker, b'password = "S3cr3t!Pa55word9"\n')
    assert found.note is None
    assert b"S3cr3t" not in server.asked[0][1]


async def test_what_is_over_the_budget_is_cut_again(server: Server, chunker: Chunker) -> None:
    server.answer = says({"chunks": [{"startLine": 1, "endLine": 400}]})
    found = await _read(chunker, b"value = compute(1)\n" * 400, budget_tokens=64)
    assert found.note is None
    assert len(found.pieces) > 10
    assert max(each.tokens for each in found.pieces) <= 64


_WRONG = {
    "no json": b"<html>",
    "another shape": [],
    "no chunks": {"chunks": []},
    "a gap": {"chunks": [{"startLine": 1, "endLine": 3}, {"startLine": 5, "endLine": _LINES}]},
    "an overlap": {"chunks": [{"startLine": 1, "endLine": 5}, {"startLine": 5, "endLine": _LINES}]},
    "out of range": {"chunks": [{"startLine": 1, "endLine": _LINES + 1}]},
    "the end is missing": {"chunks": [{"startLine": 1, "endLine": 3}]},
    "backwards": {"chunks": [{"startLine": 1, "endLine": 0}]},
    "no numbers": {"chunks": [{"startLine": "1", "endLine": True}]},
    "huge numbers": {"chunks": [{"startLine": 1, "endLine": 10**18}]},
    "too many": {"chunks": [{"startLine": 1, "endLine": 1}] * 100},
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("kind", _WRONG)
async def test_a_wrong_answer_leads_to_semantic_with_a_note(server: Server, chunker: Chunker, kind: str) -> None:
    server.answer = says(_WRONG[kind])
    found = await _read(chunker)
    semantic = read_file("a.py", _TEXT, Options(strategy="custom"))
    assert isinstance(semantic, FileRead)
    assert found.pieces == semantic.pieces
    assert found.note is not None
    assert "read as semantic" in found.note


@pytest.mark.parametrize("status", [201, 204, 301, 302, 400, 404, 500])
async def test_another_status_than_200_is_a_failure(server: Server, chunker: Chunker, status: int) -> None:
    server.answer = says(b"", status=status, headers={"Location": "/elsewhere"})
    assert str(status) in ((await _read(chunker)).note or "")


async def test_redirects_keep_the_request_and_are_followed_three_times(server: Server, chunker: Chunker) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        if request.path == "/cut":
            says(b"", status=307, headers={"Location": "/there"})(request)
        else:
            says(_HALVES)(request)

    server.answer = answer
    assert (await _read(chunker)).note is None
    assert server.asked[0][1] == server.asked[1][1]
    server.answer = says(b"", status=308, headers={"Location": "/cut"})
    assert "again and again" in ((await _read(chunker)).note or "")


@pytest.mark.parametrize(
    "to", ["http://169.254.169.254/latest", "https://10.0.0.1/", "file:///etc/passwd", "http://[::1]:9/", "https://"]
)
async def test_a_redirect_leads_to_no_private_address(server: Server, chunker: Chunker, to: str) -> None:
    server.answer = says(b"", status=307, headers={"Location": to})
    assert (await _read(chunker)).note is not None
    assert len(server.asked) == 1


async def test_a_private_address_is_refused(server: Server) -> None:
    async with Chunker(Hook(server.url + "/cut", _KEYS)) as chunker:
        assert "refused" in ((await _read(chunker)).note or "")
    assert server.asked == []


async def test_an_answer_without_end_is_left(server: Server, chunker: Chunker) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(1_000):  # a GB, where somebody takes it
            request.wfile.write(b"x" * 1_000_000)

    server.answer = answer
    assert "bytes" in ((await _read(chunker)).note or "")


async def test_a_compressed_answer_is_not_unpacked(server: Server, chunker: Chunker) -> None:
    server.answer = says(b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert "compressed" in ((await _read(chunker)).note or "")


async def test_a_slow_answer_meets_its_deadline(server: Server) -> None:
    stop = threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not stop.wait(0.05):
            request.wfile.write(b" ")
            request.wfile.flush()

    server.answer = answer
    async with Chunker(server.hook(timeout_s=0.5)) as chunker:
        assert "within 0.5 s" in ((await _read(chunker)).note or "")
    stop.set()


async def test_a_webhook_that_fails_again_and_again_is_not_asked_for_each_file(
    server: Server, chunker: Chunker
) -> None:
    server.answer = says(b"", status=500)
    notes = [(await _read(chunker)).note for _ in range(8)]
    assert len(server.asked) == 5
    assert "not asked again" in (notes[-1] or "")


def test_many_files_come_back_in_their_order(server: Server) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        lines = json.loads(server.asked[-1][1])["lines"] if len(server.asked) == 1 else None
        says({"chunks": [{"startLine": 1, "endLine": lines or 1}]})(request)

    server.answer = answer
    files = [(f"a{number}.txt", f"file {number}\n".encode()) for number in range(100)]
    found = list(read_files(files, Options(strategy="custom"), server.hook()))
    assert [each.pieces[0].text for each in found if isinstance(each, FileRead)] == [each[1].decode() for each in files]
    assert len(server.asked) == 100


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["chunks", "startLine", "endLine", "kind", "symbol", "x"]), inner, max_size=5)
    ),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    told=st.one_of(
        st.binary(max_size=200),
        _JSON.map(lambda told: json.dumps(told).encode()),
        _JSON.map(lambda told: json.dumps({"chunks": told}).encode()),
    ),
    lines=st.integers(1, 50),
)
def test_whatever_is_answered_is_refused_in_words_or_each_line_once(told: bytes, lines: int) -> None:
    try:
        found = read_answer(told, lines)
    except NoCuts:
        return
    covered = [line for first, last, _, _ in found for line in range(first, last + 1)]
    assert covered == list(range(1, lines + 1))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    ends=st.sets(st.integers(1, 59)),
    content=st.lists(
        st.sampled_from(["a", "b c", "", "é", "x" * 40, 'password = "aB3$kk99zzQ!1"']), min_size=60, max_size=60
    ),
)
def test_pieces_of_a_webhook_s_cuts_cover_the_file(ends: set[int], content: list[str]) -> None:
    text = "\n".join(content)
    lines = text.count("\n") + (not text.endswith("\n"))
    stops = sorted({end for end in ends if end < lines} | {lines})
    cuts = [(first, last, "part", None) for first, last in zip([1, *(stop + 1 for stop in stops)], stops, strict=False)]
    found = read_file("a.txt", text.encode(), Options(anonymize_secrets=False), cuts=cuts)
    assert isinstance(found, FileRead)
    assert "".join(piece.text for piece in found.pieces) == text


async def test_a_cancelled_question_leaves_nothing_behind(server: Server) -> None:
    stop = threading.Event()
    server.answer = lambda _: (stop.wait(5), None)[1]
    async with Chunker(server.hook()) as chunker:
        asking = asyncio.create_task(_read(chunker))
        await asyncio.to_thread(server.came.wait)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    stop.set()
