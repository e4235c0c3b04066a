"""A git server on loopback: `git http-backend` behind a small threaded server, and repositories to serve.

    with GitServer(tmp_path) as server:
        repository = server.repository("team/app", {"src/main.py": "print()"})
        repository.url                                  # http://127.0.0.1:…/team/app.git
        commit = repository.commit({"src/main.py": "print(1)", "old.txt": None})

Allow it with `KIJKO_GIT_ALLOWED_HOSTS='["127.0.0.1:…"]'`, which is `server.pair`.
"""

import base64
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

BRANCH = "main"
_SERVED = (
    "http.receivepack=false",
    "uploadpack.allowFilter=true",
    "uploadpack.allowAnySHA1InWant=true",
    "safe.directory=*",
)
_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in
       (("NAME", "Test"), ("EMAIL", "test@people.test"))},
}  # fmt: skip

Files = Mapping[str | bytes, str | bytes | None]
"""A path → its content; None removes it."""


def git(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    """What git prints, for a repository of the test's own."""
    done = subprocess.run(
        ["git", f"--git-dir={folder}", *arguments], input=given, env=_ENVIRONMENT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout


@dataclass(frozen=True)
class Repository:
    """A bare repository that the server has."""

    folder: Path
    url: str

    def commit(self, files: Files, *, branch: str = BRANCH, message: str = "A change", by: str = "Test") -> str:
        """Commit changes on top of a branch; answers the commit."""
        head = b"refs/heads/" + branch.encode()
        author = f"{by} <{by.split(maxsplit=1)[0].lower()}@people.test> {int(time.time())} +0000".encode()
        stream = [b"commit " + head, b"committer " + author, b"data %d\n%s" % (len(message.encode()), message.encode())]
        if git(self.folder, "for-each-ref", head.decode()):
            stream.append(b"from " + head + b"^0")
        for path, content in files.items():
            name = _quoted(path if isinstance(path, bytes) else path.encode())
            if content is None:
                stream.append(b"D " + name)
                continue
            data = content if isinstance(content, bytes) else content.encode()
            stream.append(b"M 100644 inline " + name + b"\ndata %d\n" % len(data) + data)
        git(self.folder, "fast-import", "--quiet", "--force", given=b"\n".join([*stream, b"", b""]))
        return self.head(branch)

    def head(self, branch: str = BRANCH) -> str:
        """A branch's commit."""
        return git(self.folder, "rev-parse", f"refs/heads/{branch}").decode().strip()

    def blob(self, content: bytes) -> str:
        """Keep a content; answers its id."""
        return git(self.folder, "hash-object", "-w", "--stdin", given=content).decode().strip()

    def tree(self, entries: Iterable[tuple[str, bytes, str]]) -> str:
        """Write a tree as it is given, however odd: (mode, name, id), in git's order."""
        written = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)
        return git(self.folder, "hash-object", "-w", "-t", "tree", "--literally", "--stdin", given=written).decode()[
            :40
        ]

    def commit_tree(self, tree: str, *, branch: str = BRANCH) -> str:
        """Make a branch's next commit of a tree; answers the commit."""
        made = git(self.folder, "commit-tree", tree, "-m", "A tree").decode().strip()
        git(self.folder, "update-ref", f"refs/heads/{branch}", made)
        return made


@dataclass
class GitServer:
    """Serves what is below its folder, over HTTP."""

    folder: Path
    credential: tuple[str, str] | None = None
    """User name and password that are asked for; None asks nobody."""
    redirects: dict[str, str] = field(default_factory=dict)
    """A path's beginning → the URL's beginning that it is sent to."""
    silent: set[str] = field(default_factory=set)
    """Beginnings of paths that are never answered."""
    bytes_a_second: int | None = None
    options: tuple[str, ...] = ()
    """Further settings of the git that serves, such as `uploadpack.allowFilter=false`."""
    asked: list[str] = field(default_factory=list)
    """Method and path of each request, in order."""
    authorized: list[str] = field(default_factory=list)
    """Each Authorization header that came."""
    sent: int = 0
    """Bytes of all answers' bodies."""

    def __post_init__(self) -> None:
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.pair = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.pair}"

    def repository(self, name: str, files: Files | None = None) -> Repository:
        """Make a repository there, with a first commit when there are files."""
        folder = self.folder / f"{name}.git"
        folder.mkdir(parents=True)
        git(folder, "init", "--bare", "--quiet", f"--initial-branch={BRANCH}", str(folder))
        made = Repository(folder, f"{self.url}/{name}.git")
        if files:
            made.commit(files)
        return made

    def close(self) -> None:
        """Stop serving; whoever still waits is let go."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def wait(self, seconds: float) -> None:
        """Wait that long, or until the server closes."""
        self._closing.wait(seconds)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _quoted(path: bytes) -> bytes:
    inside = b"".join(b"\\%03o" % each if each < 32 or each in b'"\\' or each > 126 else bytes([each]) for each in path)
    return b'"' + inside + b'"'


def _handler(server: GitServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve(b"")

        def do_POST(self) -> None:
            self._serve(self._body())

        def _serve(self, body: bytes) -> None:
            server.asked.append(f"{self.command} {self.path}")
            said = self.headers.get("Authorization")
            if said is not None:
                server.authorized.append(said)
            if any(self.path.startswith(each) for each in server.silent):
                server.wait(600)
                self.close_connection = True
                return
            for start, to in server.redirects.items():
                if self.path.startswith(start):
                    self._answer(302, [("Location", to + self.path.removeprefix(start))], b"")
                    return
            if server.credential is not None:
                wanted = base64.b64encode(":".join(server.credential).encode()).decode()
                if said != f"Basic {wanted}":
                    self._answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
                    return
            self._backend(body)

        def _backend(self, body: bytes) -> None:
            path, _, query = self.path.partition("?")
            told = {
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "GIT_PROJECT_ROOT": str(server.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REMOTE_ADDR": "127.0.0.1",
                "GIT_CONFIG_COUNT": str(len(_SERVED + server.options)),
            }
            for at, option in enumerate(_SERVED + server.options):
                told[f"GIT_CONFIG_KEY_{at}"], told[f"GIT_CONFIG_VALUE_{at}"] = option.split("=", 1)
            done = subprocess.run(
                ["git", "http-backend"], input=body, env=_ENVIRONMENT | told, capture_output=True, check=False
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            lines = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
            status = next((int(value.split()[0]) for name, value in lines if name == "Status"), 200)
            self._answer(status, [(name, value) for name, value in lines if name != "Status"], content)

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            try:
                self.send_response(status)
                for name, value in [*headers, ("Content-Length", str(len(content)))]:
                    self.send_header(name, value)
                self.end_headers()
                pace = self._pace()
                piece = max(1, pace // 10) if pace else 65_536
                for at in range(0, len(content), piece):
                    self.wfile.write(content[at : at + piece])
                    self.wfile.flush()
                    server.sent += len(content[at : at + piece])
                    if pace:
                        server.wait(0.1)
            except OSError:
                self.close_connection = True  # the client has gone

        def _pace(self) -> int | None:
            return server.bytes_a_second

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_: object) -> None:
            return

    return Handler
