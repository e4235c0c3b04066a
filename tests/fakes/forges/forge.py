"""What both have: the page that asks a person, codes and tokens, and a git server behind their own addresses."""

import base64
import json
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.fakes.git_server import GitServer, _handler, git

CLIENT = ("dev-only-client", "dev-only-client-secret")
CHANGED = "2026-01-31T09:30:00Z"
Form = Mapping[str, str]
Answer = tuple[int, Any, Mapping[str, str]]
"""A status, what becomes JSON, and headers."""

NOBODY: Answer = (401, {}, {})
NOTHING: Answer = (404, {"message": "Not Found"}, {})


@dataclass(frozen=True)
class Asked:
    """A request, and whose token came with it."""

    method: str
    path: str
    query: Form
    form: Form
    login: str | None


@dataclass
class Forge(GitServer):
    """A git server with a forge's own addresses in front."""

    codes: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """A code → whose it is, PKCE's challenge, how long its token lives."""
    tokens: dict[str, str] = field(default_factory=dict)
    """An access or refresh token that is good → whose it is."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    routes: ClassVar[tuple[tuple[str, Callable[..., Answer]], ...]] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._server.server_close()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _front(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.pair = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.pair}"

    def answer(self, asked: Asked) -> Answer | None:
        """By the first route that fits; None for what git is to answer. `/alive/ada` tells tests Ada's good tokens."""
        if asked.path.startswith("/alive/"):
            return 200, [each for each, whose in self.tokens.items() if whose == asked.path[7:]], {}
        for route, call in self.routes:
            found = re.fullmatch(route, f"{asked.method} {asked.path}")
            if found is not None:
                answer: Answer = call(self, asked, *found.groups())
                return answer
        return None

    def serve(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def authorize(self, query: Form) -> Answer:
        code = secrets.token_hex(8)
        self.codes[code] = (query["login"], query["code_challenge"], query.get("lives", "7200"))
        back = urlencode({"code": code, "state": query["state"]})
        return 302, {}, {"Location": f"{query['redirect_uri']}?{back}"}

    def redeem(self, form: Form) -> tuple[str, str] | None:
        """Whose code it is and how long its token lives, where everything fits; once."""
        login, challenge, lives = self.codes.pop(form.get("code", ""), ("", "", ""))
        proof = base64.urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        client = (form.get("client_id"), form.get("client_secret")) == CLIENT
        return (login, lives) if login and proof == challenge and client and form.get("redirect_uri") else None

    def issue(self, login: str, prefix: str) -> str:
        token = f"{prefix}_{secrets.token_hex(8)}"
        self.tokens[token] = login
        return token

    def names(self, login: str) -> list[str]:
        """The repositories of a login, by their names."""
        return sorted(each.name.removesuffix(".git") for each in (self.folder / login).glob("*.git"))

    def tree(self, full_name: str) -> list[dict[str, str]]:
        listed = git(self.folder / f"{full_name}.git", "ls-tree", "-r", "--name-only", "main").decode().split()
        return [*({"type": "blob", "path": path} for path in listed), {"type": "tree", "path": "src"}]

    def sees(self, full_name: str, login: str | None) -> bool:
        owner, name = full_name.split("/")
        there = (self.folder / f"{full_name}.git").is_dir()
        return there and (not name.startswith("private-") or login == owner)


def _halves(file: dict[str, Any]) -> bytes:
    """The answer of a chunking webhook that cuts every file into two."""
    half, lines = max(file["lines"] // 2, 1), file["lines"]
    cuts = [{"startLine": 1, "endLine": half, "kind": "half", "symbol": "first"}]
    if half < lines:
        cuts.append({"startLine": half + 1, "endLine": lines, "kind": "half", "symbol": "second"})
    return json.dumps({"chunks": cuts}).encode()


def _front(forge: Forge) -> type[BaseHTTPRequestHandler]:
    inner: Any = _handler(forge)

    class Handler(inner):
        def do_DELETE(self) -> None:
            self._serve(self._body())

        def _serve(self, body: bytes) -> None:
            address = urlsplit(self.path)
            if address.path == "/cutter":
                self._answer(200, [("Content-Type", "application/json")], _halves(json.loads(body)))
                return
            kind, login = self.headers.get("Content-Type", ""), self._login()
            form = json.loads(body) if "json" in kind and body else dict(parse_qsl(body.decode("latin-1")))
            said = forge.answer(Asked(self.command, address.path, dict(parse_qsl(address.query)), form, login))
            if said is not None:
                status, content, headers = said
                told = json.dumps(content).encode() if status != 204 else b""
                self._answer(status, [("Content-Type", "application/json"), *headers.items()], told)
                return
            full_name = address.path.lstrip("/").partition(".git/")[0].partition("/info/")[0]
            if full_name.count("/") == 1 and "/private-" in full_name and not forge.sees(full_name, login):
                self._answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
                return
            if ".git/" not in self.path:
                self.path = self.path.replace(full_name, full_name + ".git", 1)
            self._backend(body)

        def _pace(self) -> int | None:
            return 30_000 if "/slow-" in self.path else super()._pace()

        def _login(self) -> str | None:
            kind, _, said = self.headers.get("Authorization", "").partition(" ")
            token = base64.b64decode(said).decode().partition(":")[2] if kind.lower() == "basic" else said
            return forge.tokens.get(token)

    return Handler
