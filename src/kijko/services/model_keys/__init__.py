"""Organizations' own keys at Anthropic, Google and OpenAI: encrypted, never shown again, used before the server's own.

Owns the table model_keys. Only the worker reads what is sealed (`OwnKeys`), and the API for a trial under way;
people see that there is one.
"""

from kijko.services.model_keys.model_keys import delete, list_all, providers_with_key, put
from kijko.services.model_keys.own_keys import OwnKeys
from kijko.services.model_keys.rotating import RotationError, rotate_master

__all__ = ["OwnKeys", "RotationError", "delete", "list_all", "providers_with_key", "put", "rotate_master"]
