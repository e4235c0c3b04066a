"""GitLab's addresses."""

import time
from typing import Any
from urllib.parse import unquote

from tests.fakes.forges.forge import CHANGED, NOBODY, NOTHING, Answer, Asked, Forge, Form


class GitLab(Forge):
    routes = (
        (r"GET /oauth/authorize", lambda lab, asked: lab.authorize(asked.query)),
        (r"POST /oauth/token", lambda lab, asked: lab.token(asked.form)),
        (r"POST /oauth/revoke", lambda lab, asked: lab.revoke(asked.form)),
        (r"GET /api/v4/user", lambda lab, asked: lab.user(asked.login)),
        (r"GET /api/v4/projects", lambda lab, asked: lab.own(asked.login)),
        (r"GET /api/v4/projects/([^/]+)(/.+)?", lambda lab, asked, *found: lab.project(asked, *found)),
        (r"\w+ /api/.*", lambda *_: NOTHING),
    )

    def token(self, form: Form) -> Answer:
        with self.lock:
            if form["grant_type"] == "refresh_token":
                login, lives = self.tokens.pop(form["refresh_token"], ""), "7200"
                if login.startswith("slow-"):
                    time.sleep(0.5)
            else:
                login, lives = self.redeem(form) or ("", "")
            if not login:
                return 400, {"error": "invalid_grant"}, {}
            told = {"token_type": "Bearer", "expires_in": int(lives), "scope": "read_user read_api read_repository"}
            tokens = {"access_token": self.issue(login, "glat"), "refresh_token": self.issue(login, "glrt")}
            return 200, told | tokens, {}

    def revoke(self, form: Form) -> Answer:
        self.tokens.pop(form["token"], None)
        return 200, {}, {}

    def user(self, login: str | None) -> Answer:
        if (login or "").startswith("odd-user-"):
            return 200, ["what", "is", "this"], {}
        return (200, {"username": login, "avatar_url": None}, {}) if login else NOBODY

    def own(self, login: str | None) -> Answer:
        if (login or "").startswith("odd-"):
            return 200, [{"id": 7, "path": {}}], {}
        if (login or "").startswith("elsewhere-"):
            return 200, [], {"Link": '<http://127.0.0.1:9/user/repos?page=2>; rel="next"'}
        return (200, [self.row(f"{login}/{name}") for name in self.names(login)], {}) if login else NOBODY

    def project(self, asked: Asked, quoted: str, part: str | None) -> Answer:
        name = unquote(quoted)
        if not self.sees(name, asked.login):
            return NOTHING
        parts: dict[str | None, Answer] = {
            None: (200, self.row(name), {}),
            "/languages": (200, {"Go": 80.5, "Makefile": 19.5}, {}),
            "/repository/commits": (200, [{}] * 3, {"X-Total": "3"}),
            "/repository/tree": (200, self.tree(name), {"X-Next-Page": ""}),
        }
        return parts.get(part, NOTHING)

    def row(self, full_name: str) -> dict[str, Any]:
        return {
            "id": 9,
            "path": full_name.split("/")[1],
            "path_with_namespace": full_name,
            "web_url": f"{self.url}/{full_name}",
            "default_branch": "main",
            "visibility": "private" if "/private-" in full_name else "public",
            "last_activity_at": CHANGED,
            "archived": False,
            "star_count": 3,
            "description": "",
        }
