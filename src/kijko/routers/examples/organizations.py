"""Examples of what is answered about organizations, their members and invitations."""

from typing import Final

from kijko.routers.examples.made_up import COLLEAGUE, COLLEAGUES_EMAIL, DONE, EARLIER, ORGANIZATION, THEN, YOU, Json

_ACME: Final[Json] = {
    "id": ORGANIZATION,
    "name": "Acme",
    "plan": "teams",
    "role": "owner",
    "memberCount": 2,
    "createdAt": EARLIER,
    "updatedAt": THEN,
}
_NEW: Final[Json] = {
    **_ACME,
    "id": "1c9e7d5b-3a2f-4e1d-8c0b-9a8f7e6d5c4b",
    "name": "Acme Labs",
    "plan": "free",
    "memberCount": 1,
    "createdAt": THEN,
}
_COLLEAGUE: Final[Json] = {
    "userId": COLLEAGUE,
    "email": COLLEAGUES_EMAIL,
    "name": None,
    "role": "member",
    "joinedAt": THEN,
}
_INVITATION: Final[Json] = {
    "id": "8e7d6c5b-4a39-4281-9706-f5e4d3c2b1a0",
    "email": COLLEAGUES_EMAIL,
    "role": "member",
    "projectId": None,
    "invitedBy": YOU,
    "createdAt": THEN,
    "expiresAt": "2026-02-07T09:30:00.000000Z",
    "mailStatus": "pending",
}

EXAMPLES: Final = {
    "organizations_get": _ACME,
    "organizations_rename": _ACME,
    "organizations_list": [_ACME],
    "organizations_create": _NEW,
    "organizations_delete": {
        "deletionId": "d9c8b7a6-5f4e-4d3c-8b2a-190817263544",
        "statusToken": "Zk3vY1qT8mN5cR2xW7bJ4hL9pD6sG0fA",
    },
    "organizations_leave": DONE,
    "organizations_list_members": [_COLLEAGUE],
    "organizations_change_member": {**_COLLEAGUE, "role": "admin"},
    "organizations_remove_member": DONE,
    "organizations_invite": _INVITATION,
    "organizations_list_invitations": [{**_INVITATION, "mailStatus": "sent"}],
    "organizations_withdraw_invitation": DONE,
    "organizations_accept_invitation": _COLLEAGUE,
}
"""operation → its answer."""
