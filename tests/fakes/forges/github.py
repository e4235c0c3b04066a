"""GitHub's addresses."""

from typing import Any

from tests.fakes.forges.forge import CHANGED, CLIENT, NOBODY, NOTHING, Answer, Asked, Forge, Form


class GitHub(Forge):
    routes = (
        (r"GET /login/oauth/authorize", lambda hub, asked: hub.authorize(asked.query)),
        (r"POST /login/oauth/access_token", lambda hub, asked: hub.token(asked.form)),
        (rf"DELETE /api/applications/{CLIENT[0]}/token", lambda hub, asked: hub.revoke(asked.form)),
        (r"GET /api/user", lambda hub, asked: hub.user(asked.login)),
        (r"GET /api/user/repos", lambda hub, asked: hub.own(asked)),
        (r"GET /api/repos/([^/]+/[^/]+)(/.+)?", lambda hub, asked, *found: hub.repository(asked, *found)),
        (r"\w+ /api/.*", lambda *_: NOTHING),
    )

    def token(self, form: Form) -> Answer:
        found = self.redeem(form)
        if found is None:
            return 200, {"error": "bad_verification_code"}, {}
        return 200, {"access_token": self.issue(found[0], "gho"), "token_type": "bearer", "scope": "repo,read:user"}, {}

    def revoke(self, form: Form) -> Answer:
        return (204, {}, {}) if self.tokens.pop(form["access_token"], None) else NOTHING

    def user(self, login: str | None) -> Answer:
        if (login or "").startswith("odd-user-"):
            return 200, ["what", "is", "this"], {}
        return (200, {"login": login, "avatar_url": f"{self.url}/a.png"}, {}) if login else NOBODY

    def own(self, asked: Asked) -> Answer:
        if not asked.login:
            return NOBODY
        if asked.login.startswith("odd-"):
            return 200, [{"id": 7, "name": None}], {}
        if asked.login.startswith("elsewhere-"):
            return 200, [], {"Link": '<http://127.0.0.1:9/user/repos?page=2>; rel="next"'}
        # Two a page, so that a third shows whether pages are turned.
        page, names = int(asked.query.get("page", "1")), self.names(asked.login)
        rows = [self.row(f"{asked.login}/{name}") for name in names[2 * page - 2 : 2 * page]]
        more = {"Link": f'<{self.url}/api/user/repos?page={page + 1}>; rel="next"'} if names[2 * page :] else {}
        return 200, rows, more

    def repository(self, asked: Asked, name: str, part: str | None) -> Answer:
        if not self.sees(name, asked.login):
            return NOTHING
        if name.endswith("limited"):
            return 403, {"message": "API rate limit exceeded"}, {"X-RateLimit-Remaining": "0"}
        pages = {"Link": f'<{self.url}/x?page=2>; rel="next", <{self.url}/x?page=41>; rel="last"'}
        parts: dict[str | None, Answer] = {
            None: (200, self.row(name), {}),
            "/languages": (200, {"Python": 3500, "Shell": 700}, {}),
            "/commits": (200, [{}], pages),
            "/git/trees/main": (200, {"tree": self.tree(name)}, {}),
        }
        return parts.get(part, NOTHING)

    def row(self, full_name: str) -> dict[str, Any]:
        return {
            "id": 7,
            "name": full_name.split("/")[1],
            "full_name": full_name,
            "html_url": f"{self.url}/{full_name}",
            "default_branch": "main",
            "private": "/private-" in full_name,
            "pushed_at": CHANGED,
            "archived": full_name.endswith("-old"),
            "stargazers_count": 12,
            "description": "An example",
            "language": "Python",
        }
