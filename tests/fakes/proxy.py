"""Stands between the API and a part outside, so that a test can break the connection at a step of its choosing."""

import contextlib
import socket
import threading
from collections.abc import Callable

Asked = Callable[[bytes], bool]


class Proxy:
    """Passes bytes both ways until told otherwise.

    `hold(asked)` keeps back the first chunk for which `asked` is true (and all that follows on its connection) until
    `release()`; `reached` is set meanwhile. `cut()` closes every connection and refuses new ones until `mend()`.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._asked: Asked = lambda _: False
        self._released = threading.Event()
        self.reached = threading.Event()
        self.seen: list[bytes] = []
        self._dead = False
        self._open: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self, asked: Asked) -> None:
        """Keep back what fits from now on."""
        self._released.clear()
        self.reached.clear()
        self._asked = asked

    def release(self) -> None:
        """Let it through, and hold nothing more."""
        self._asked = lambda _: False
        self._released.set()

    def cut(self) -> None:
        """As if the part had died."""
        self._dead = True
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """It lives again."""
        self._dead = False

    def close(self) -> None:
        """Stop."""
        self.release()
        self.cut()
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                if self._dead:
                    client.close()
                    continue
                upstream = socket.create_connection(self._target)
                self._open |= {client, upstream}
                threading.Thread(target=self._pump, args=(client, upstream, True), daemon=True).start()
                threading.Thread(target=self._pump, args=(upstream, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, outward: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                if outward:
                    self.seen.append(chunk)
                if outward and self._asked(chunk):
                    self.reached.set()
                    self._released.wait(60)
                target.sendall(chunk)
        for each in (source, target):
            self._open.discard(each)
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
