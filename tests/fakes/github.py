"""GitHub as far as Keycloak's own GitHub provider speaks to it: authorize, token, user, emails."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CODE = "dev-only-github-code"
TOKEN = "dev-only-github-token"


class GitHub:
    """One GitHub with one person, who is signed in there and says yes to everything (or, with `refuses`, no)."""

    def __init__(self) -> None:
        self.user: dict[str, Any] = {}
        self.emails: list[dict[str, Any]] = []
        self.refuses = False
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def be(self, number: int, login: str, email: str, *, verified: bool = True) -> None:
        """Become this person, with a private primary address."""
        self.user = {"id": number, "login": login, "name": login.title(), "email": None}
        self.emails = [
            {"email": f"{number}+{login}@users.noreply.github.test", "primary": False, "verified": True},
            {"email": email, "primary": True, "verified": verified},
        ]

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                hub.asked.append(address.path)
                query = {name: values[0] for name, values in parse_qs(address.query).items()}
                match address.path:
                    case "/login/oauth/authorize":
                        said = {"error": "access_denied"} if hub.refuses else {"code": CODE}
                        target = f"{query['redirect_uri']}?{urlencode(said | {'state': query['state']})}"
                        self.send_response(302)
                        self.send_header("Location", target)
                        self.send_header("Content-Length", "0")
                        self.end_headers()
                    case "/api/user" if self._authorized():
                        self._json(200, hub.user)
                    case "/api/user/emails" if self._authorized():
                        self._json(200, hub.emails)
                    case _:
                        self._json(404, {"message": "Not Found"})

            def do_POST(self) -> None:
                hub.asked.append(self.path)
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                if self.path == "/login/oauth/access_token" and form.get("code") == [CODE]:
                    self._json(200, {"access_token": TOKEN, "token_type": "bearer", "scope": "user:email"})
                else:
                    self._json(200, {"error": "bad_verification_code"})

            def _authorized(self) -> bool:
                return self.headers.get("Authorization", "").split(" ")[-1] == TOKEN

            def _json(self, status: int, document: object) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        return Handler
