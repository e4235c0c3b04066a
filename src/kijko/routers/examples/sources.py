"""Examples of what is answered about where a project's code comes from: git accounts, uploads and pushes."""

from typing import Final

from kijko.routers.examples.made_up import DONE, REPOSITORY, THEN, UPLOAD, Json

_CONNECTED: Final[Json] = {
    "provider": "github",
    "connected": True,
    "username": "you",
    "avatarUrl": "https://avatars.example.nl/you.png",
    "connectedAt": THEN,
    "scope": ["repo"],
}
_NOT_CONNECTED: Final[Json] = {
    "provider": "gitlab",
    "connected": False,
    "username": None,
    "avatarUrl": None,
    "connectedAt": None,
    "scope": None,
}

EXAMPLES: Final = {
    "git_accounts_list": [_CONNECTED, _NOT_CONNECTED],
    "git_accounts_begin": {"authUrl": "https://github.com/login/oauth/authorize?client_id=example&state=K1fE5Xb0"},
    "git_accounts_finish": _CONNECTED,
    "git_accounts_disconnect": DONE,
    "git_accounts_list_repositories": {
        "repositories": [
            {
                "id": "1",
                "name": "example",
                "fullName": "kijko/example",
                "url": "https://github.com/kijko/example",
                "isPrivate": True,
                "lastUpdated": THEN,
                "isArchived": False,
            }
        ],
        "total": 1,
    },
    "files_upload": {
        "uploaded": [{"id": UPLOAD, "name": "notes.md", "size": 120, "type": "text/markdown"}],
        "errors": [{"name": "empty.md", "error": "The file is empty."}],
    },
    "files_delete": DONE,
    "repositories_get_webhook": {
        "url": f"https://api.example.nl/webhooks/repository/{REPOSITORY}",
        "secret": "dev-only-a-secret-of-this-repository",
    },
    "webhooks_receive_push": {
        "started": False,
        "reason": "other_branch",
        "message": "This push is to another branch than main, which the project reads.",
    },
}
"""operation → its answer."""
