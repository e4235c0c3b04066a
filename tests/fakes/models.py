"""Anthropic, OpenAI and Google in their wire formats, streaming. What a prompt says in brackets decides the answer:

`[429]`, `[529]`, `[401]` and so on are the status, `[429 after 7]` has a Retry-After; `[too long]` is what each says of
a prompt that is, `[refuse]` of one that it will not answer. `[hang]` says nothing, `[stall]` nothing more after half of
the text; `[cut]` closes the connection there, `[error]` sends the provider's error event there, `[garbage]` what is no
JSON. `[no usage]` and `[wrong usage]` are about tokens. With ` once` inside the bracket only the first request with
that prompt fails so; `[only once]` refuses all but the first. `[slow N S]` says N words, one each S seconds;
`[clock N S]` says instead of each word the machine's monotonic clock in ns, after S seconds. `[key]` stands for the API
key that came.

`GET /closed?…` answers when a caller hung up on the request with that prompt, as JSON: null or seconds of the epoch;
`GET /asked?…` whether there was a request with it.
Embeddings are OpenAI's, too, and fail in the same way.
"""

import contextlib
import json
import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote_plus, urlsplit

_STATUS = re.compile(r"\[(4\d\d|5\d\d)(?: after (\d+))?( once)?\]")
_PACE = re.compile(r"\[(slow|clock) (\d+) ([\d.]+)\]")
_HANG_S = 20

_ALIKE = (("car", "automobile", "vehicle"), ("remove", "erase", "purge"), ("zebra", "striped", "animal"))


def meaning(text: str) -> list[float]:
    """A vector of 16 numbers: words of one meaning have one direction, whatever their letters."""
    words = re.findall("[a-z]+", text.lower())
    found = [0.1] * 16
    for word in words:
        place = next((at for at, alike in enumerate(_ALIKE) if word in alike), None)
        found[len(_ALIKE) + len(word) % 8 if place is None else place] += 0.1 if place is None else 5.0
    return found


def _with_system(system: str | None, prompt: str) -> str:
    return f"({system}) {prompt}" if system else prompt


class _HungUp(Exception):
    """The caller closed the connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: dict[str, int] = {}
    closed: dict[str, float] = {}
    asked: set[str] = set()
    lock = threading.Lock()

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        prompt = unquote_plus(where.query)
        self._answer(200, self.closed.get(prompt) if where.path == "/closed" else prompt in self.asked)

    def do_POST(self) -> None:
        sent = (self.headers[name] for name in ("x-api-key", "x-goog-api-key", "authorization"))
        key = next(each for each in sent if each).removeprefix("Bearer ")
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])).decode().replace("[key]", key))
        self.prompt = ""
        try:
            if self.path.endswith("/v1/messages"):
                self._anthropic(body)
            elif self.path.endswith("/chat/completions"):
                self._openai(body)
            elif self.path.endswith("/embeddings"):
                self._embeddings(body)
            else:
                self._google(body)
        except (_HungUp, ConnectionError):
            self.closed[self.prompt] = time.time()
            self.close_connection = True

    # ---- the three formats -------------------------------------------------------------------------------------------

    def _anthropic(self, body: dict[str, Any]) -> None:
        self.prompt = prompt = body["messages"][0]["content"]
        if status := self._failure(prompt):
            kind = {401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}.get(
                status, "api_error"
            )
            self._answer(status, {"type": "error", "error": {"type": kind, "message": "as asked"}})
            return
        if self._says("too long"):
            told = {"type": "invalid_request_error", "message": "prompt is too long: 250000 tokens > 200000 maximum"}
            self._answer(400, {"type": "error", "error": told})
            return
        self._begin()
        usage = {
            "input_tokens": 1000,
            "output_tokens": 1,
            "cache_read_input_tokens": 500,
            "cache_creation_input_tokens": 300,
        }
        if self._says("wrong usage"):
            usage = {**usage, "input_tokens": -5, "cache_read_input_tokens": 10**15}
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0} if self._says("no usage") else usage,
        }
        self._event({"type": "message_start", "message": message})
        self._event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
        overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        for piece in self._pieces(f"claude says: {_with_system(body.get('system'), prompt)}", error=overloaded):
            delta = {"type": "text_delta", "text": piece}
            self._event({"type": "content_block_delta", "index": 0, "delta": delta})
        self._event({"type": "content_block_stop", "index": 0})
        stopped = {"stop_reason": "refusal" if "[refuse]" in prompt else "end_turn", "stop_sequence": None}
        said = {} if self._says("no usage") else {"usage": {"output_tokens": 200}}
        self._event({"type": "message_delta", "delta": stopped, "usage": {"output_tokens": 0}, **said})
        self._event({"type": "message_stop"})
        self._end()

    def _openai(self, body: dict[str, Any]) -> None:
        self.prompt = prompt = body["messages"][-1]["content"]
        system = next((each["content"] for each in body["messages"] if each["role"] == "system"), None)
        if status := self._failure(prompt):
            self._answer(status, {"error": {"message": "as asked", "type": "x", "code": None, "param": None}})
            return
        if self._says("too long"):
            said = "This model's maximum context length is 128000 tokens."
            told = {"message": said, "type": "invalid_request_error", "code": "context_length_exceeded", "param": None}
            self._answer(400, {"error": told})
            return
        assert body["stream"] is True
        assert body["stream_options"] == {"include_usage": True}
        self._begin()
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}

        def chunk(delta: dict[str, Any], reason: str | None = None) -> None:
            self._data({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": None})

        chunk({"role": "assistant", "content": ""})
        overloaded = {"error": {"message": "The server had an error", "type": "server_error", "code": None}}
        for piece in self._pieces(f"gpt says: {_with_system(system, prompt)}", error=overloaded):
            chunk({"content": piece})
        chunk({}, "content_filter" if "[refuse]" in prompt else "stop")
        usage = {
            "prompt_tokens": -1000 if self._says("wrong usage") else 1000,
            "completion_tokens": 200,
            "total_tokens": 1200,
            "prompt_tokens_details": {"cached_tokens": 400},
        }
        if not self._says("no usage"):
            self._data({**head, "choices": [], "usage": usage})
        self._write(b"data: [DONE]\n\n")
        self._end()

    def _embeddings(self, body: dict[str, Any]) -> None:
        texts = body["input"]
        if any("[hang]" in text for text in texts):
            self._wait(_HANG_S)
        if status := max(self._failure_of(text) for text in texts):
            self._answer(status, {"error": {"message": "as asked", "type": "x", "code": None, "param": None}})
            return
        data = [{"object": "embedding", "index": at, "embedding": meaning(text)} for at, text in enumerate(texts)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        self._answer(200, {"object": "list", "data": data, "model": body["model"], "usage": usage})

    def _google(self, body: dict[str, Any]) -> None:
        self.prompt = prompt = body["contents"][0]["parts"][0]["text"]
        if status := self._failure(prompt):
            wait = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{self.after}s"}]
            told = {"code": status, "message": "as asked", "status": "X", "details": wait if self.after else []}
            self.after = None  # Google says it in the body
            self._answer(status, {"error": told})
            return
        if self._says("too long"):
            said = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
            self._answer(400, {"error": {"code": 400, "message": said, "status": "INVALID_ARGUMENT"}})
            return
        assert self.path.endswith(":streamGenerateContent?alt=sse"), self.path
        self._begin()
        head: dict[str, Any] = {"modelVersion": self.path.split("/models/")[1].split(":")[0]}
        usage = {"promptTokenCount": 1000, "cachedContentTokenCount": 250, "totalTokenCount": 1200}
        if self._says("wrong usage"):
            usage["cachedContentTokenCount"] = 5000
        if "[refuse]" in prompt:
            self._data({**head, "promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": usage})
            self._end()
            return
        system = "".join(part["text"] for part in body.get("systemInstruction", {}).get("parts", []))

        def chunk(text: str, last: dict[str, Any], said: dict[str, int]) -> None:
            content = {"role": "model", "parts": [{"text": text}]}
            told = {} if self._says("no usage") else {"usageMetadata": said}
            self._data({**head, "candidates": [{"content": content, "index": 0, **last}], **told})

        overloaded = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
        for piece in self._pieces(f"gemini says: {_with_system(system, prompt)}", error=overloaded):
            chunk(piece, {}, usage)
        chunk("", {"finishReason": "STOP"}, {**usage, "candidatesTokenCount": 150, "thoughtsTokenCount": 50})
        self._end()

    # ---- what a prompt asks for --------------------------------------------------------------------------------------

    def _says(self, word: str) -> bool:
        """Whether the prompt asks for it: always, or only the first request does."""
        return f"[{word}]" in self.prompt or (f"[{word} once]" in self.prompt and self._first(f"{word} {self.prompt}"))

    def _failure_of(self, text: str) -> int:
        self.prompt = text
        return self._failure(text)

    def _failure(self, prompt: str) -> int:
        self.asked.add(prompt)
        self.after: str | None = None
        if self._says("hang"):
            self._wait(_HANG_S)
        if "[only once]" in prompt and not self._first("only " + prompt):
            return 401
        found = _STATUS.search(prompt)
        if found is None or (found[3] and not self._first(prompt)):
            return 0
        self.after = found[2]
        return int(found[1])

    def _first(self, key: str) -> bool:
        with self.lock:
            self.seen[key] = self.seen.get(key, 0) + 1
            return self.seen[key] == 1

    def _pieces(self, text: str, *, error: dict[str, Any]) -> Iterator[str]:
        if found := _PACE.search(self.prompt):
            for number in range(int(found[2])):
                self._wait(float(found[3]))
                yield str(time.monotonic_ns()) + " " if found[1] == "clock" else f"word{number} "
            return
        half = len(text) // 2
        yield text[:half]
        if self._says("stall"):
            self._wait(_HANG_S)
        if self._says("cut"):
            self.connection.shutdown(socket.SHUT_RDWR)
            raise _HungUp
        if self._says("garbage"):
            self._write(b"event: content_block_delta\ndata: {<html>\n\n")
        if self._says("error"):
            self._event(error) if "type" in error else self._data(error)
            self._end()
            raise _HungUp
        yield text[half:]

    def _wait(self, seconds: float) -> None:
        """Waits, unless the caller hangs up."""
        readable, _, _ = select.select([self.connection], [], [], seconds)
        if readable and not self.connection.recv(1, socket.MSG_PEEK):
            raise _HungUp

    # ---- writing -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _event(self, data: dict[str, Any]) -> None:
        self._write(f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode())

    def _data(self, data: dict[str, Any]) -> None:
        self._write(f"data: {json.dumps(data)}\n\n".encode())

    def _write(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        with contextlib.suppress(ConnectionError):  # whoever gave up waiting is gone
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if getattr(self, "after", None):
                self.send_header("Retry-After", str(self.after))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return


def serve(port: int = 0) -> tuple[str, ThreadingHTTPServer]:
    """Serves all three from threads; answers the URL and the server to shut down."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}", server
