"""Anthropic, OpenAI and Google in their wire formats. What a prompt says in brackets decides the answer:

`[429]`, `[529]`, `[401]`, `[refuse]`, `[hang]`; `[429 once]` and `[hang once]` fail the
first request with that prompt only, `[only once]` all but the first.
Embeddings are OpenAI's, too, and fail in the same way.
"""

import contextlib
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_STATUS = re.compile(r"\[(4\d\d|5\d\d)( once)?\]")


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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: dict[str, int] = {}
    lock = threading.Lock()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/v1/messages"):
            self._anthropic(body)
        elif self.path.endswith("/chat/completions"):
            self._openai(body)
        elif self.path.endswith("/embeddings"):
            self._embeddings(body)
        else:
            self._google(body)

    def _anthropic(self, body: dict[str, Any]) -> None:
        prompt = body["messages"][0]["content"]
        if status := self._failure(prompt):
            kind = {401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}.get(
                status, "api_error"
            )
            return self._answer(status, {"type": "error", "error": {"type": kind, "message": "as asked"}})
        refused = "[refuse]" in prompt
        return self._answer(
            200,
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": body["model"],
                "content": [{"type": "text", "text": f"claude says: {_with_system(body.get('system'), prompt)}"}],
                "stop_reason": "refusal" if refused else "end_turn",
                "stop_sequence": None,
                "usage": {
                    "input_tokens": 1000,
                    "output_tokens": 200,
                    "cache_read_input_tokens": 500,
                    "cache_creation_input_tokens": 300,
                },
            },
        )

    def _openai(self, body: dict[str, Any]) -> None:
        prompt = body["messages"][-1]["content"]
        system = next((each["content"] for each in body["messages"] if each["role"] == "system"), None)
        if status := self._failure(prompt):
            return self._answer(status, {"error": {"message": "as asked", "type": "x", "code": None, "param": None}})
        reason = "content_filter" if "[refuse]" in prompt else "stop"
        return self._answer(
            200,
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": body["model"],
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": reason,
                        "message": {"role": "assistant", "content": f"gpt says: {_with_system(system, prompt)}"},
                    }
                ],
                "usage": {
                    "prompt_tokens": 1000,
                    "completion_tokens": 200,
                    "total_tokens": 1200,
                    "prompt_tokens_details": {"cached_tokens": 400},
                },
            },
        )

    def _embeddings(self, body: dict[str, Any]) -> None:
        texts = body["input"]
        if status := max(self._failure(text) for text in texts):
            self._answer(status, {"error": {"message": "as asked", "type": "x", "code": None, "param": None}})
            return
        data = [{"object": "embedding", "index": at, "embedding": meaning(text)} for at, text in enumerate(texts)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        self._answer(200, {"object": "list", "data": data, "model": body["model"], "usage": usage})

    def _google(self, body: dict[str, Any]) -> None:
        prompt = body["contents"][0]["parts"][0]["text"]
        if status := self._failure(prompt):
            return self._answer(status, {"error": {"code": status, "message": "as asked", "status": "X"}})
        system = "".join(part["text"] for part in body.get("systemInstruction", {}).get("parts", []))
        content = {"role": "model", "parts": [{"text": f"gemini says: {_with_system(system, prompt)}"}]}
        candidates = [] if "[refuse]" in prompt else [{"content": content, "finishReason": "STOP", "index": 0}]
        return self._answer(
            200,
            {
                "candidates": candidates,
                "usageMetadata": {
                    "promptTokenCount": 1000,
                    "candidatesTokenCount": 150,
                    "thoughtsTokenCount": 50,
                    "cachedContentTokenCount": 250,
                    "totalTokenCount": 1200,
                },
                "modelVersion": self.path.split("/models/")[1].split(":")[0],
            },
        )

    def _failure(self, prompt: str) -> int:
        if "[hang]" in prompt or ("[hang once]" in prompt and self._first(prompt)):
            time.sleep(20)
        if "[only once]" in prompt and not self._first(prompt):
            return 401
        found = _STATUS.search(prompt)
        if found is None:
            return 0
        with self.lock:
            self.seen[prompt] = self.seen.get(prompt, 0) + 1
            return int(found[1]) if found[2] is None or self.seen[prompt] == 1 else 0

    def _first(self, prompt: str) -> bool:
        with self.lock:
            key = "hang " + prompt
            self.seen[key] = self.seen.get(key, 0) + 1
            return self.seen[key] == 1

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        with contextlib.suppress(ConnectionError):  # whoever gave up waiting is gone
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return


def serve() -> tuple[str, ThreadingHTTPServer]:
    """Serves all three from threads; answers the URL and the server to shut down."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}", server
