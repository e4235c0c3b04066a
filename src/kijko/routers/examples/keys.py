"""Examples of what is answered about API keys and model keys."""

from typing import Final

from kijko.routers.examples.made_up import DONE, EARLIER, THEN, YOU, Json

_KEY: Final[Json] = {
    "id": "9a8b7c6d-5e4f-4a3b-8c2d-1e0f9a8b7c6d",
    "userId": YOU,
    "name": "Nightly report",
    "prefix": "kjk_example",
    "scopes": ["skills:read", "executions:run"],
    "createdAt": EARLIER,
    "lastUsedAt": THEN,
    "expiresAt": None,
    "rotatedAt": None,
}
_NEW: Final[Json] = {**_KEY, "createdAt": THEN, "lastUsedAt": None, "key": "kjk_" + "x" * 57}
_MODEL_KEY: Final[Json] = {"provider": "anthropic", "hint": "x4Qa", "createdAt": EARLIER, "updatedAt": THEN}

EXAMPLES: Final = {
    "keys_list_api_keys": [_KEY],
    "keys_create_api_key": _NEW,
    "keys_rotate_api_key": {**_NEW, "id": "0b9c8d7e-6f50-4b4c-8d3e-2f1a0b9c8d7e"},
    "keys_revoke_api_key": DONE,
    "keys_list_model_keys": [_MODEL_KEY],
    "keys_set_model_key": _MODEL_KEY,
    "keys_delete_model_key": DONE,
}
"""operation → its answer."""
