"""Keeping an imported realm in step with the realm file, through Keycloak's admin API."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import httpx

from kijko.local.errors import StackError

Json = dict[str, Any]  # Keycloak's representations, as its API takes them
_PLACEHOLDER = re.compile(r"\$\{([A-Z_]+)(?::([^}]*))?\}")
# Parts of a realm file that have an address of their own.
_APART = ("clients", "users", "components", "identityProviders", "clientScopeMappings", "realm")


def filled(text: str, values: Mapping[str, str]) -> Json:
    """The realm file with each `${NAME:default}` replaced, as Keycloak's import does it."""

    def replace(match: re.Match[str]) -> str:
        value = values.get(match[1], match[2])
        return match[0] if value is None else json.dumps(value)[1:-1]

    realm: Json = json.loads(_PLACEHOLDER.sub(replace, text))
    return realm


def fingerprint(realm: Json) -> str:
    """Equal for equal realms."""
    return hashlib.sha256(json.dumps(realm, sort_keys=True).encode()).hexdigest()


def apply(base: str, admin: str, password: str, realm: Json) -> None:
    """Set realm, clients, identity providers and user profile to what the file says; people stay as they are.

    Raises:
        StackError: Keycloak refuses; with its words.
    """
    try:
        with httpx.Client(base_url=base, timeout=30, trust_env=False) as client:
            client.headers["Authorization"] = f"Bearer {_token(client, admin, password)}"
            _apply(client, f"/admin/realms/{realm['realm']}", realm)
    except httpx.HTTPStatusError as error:
        words = error.response.text[:300]
        raise StackError(f"Keycloak refused a change of its realm: {words}. Correct the realm file.") from error
    except httpx.HTTPError as error:
        raise StackError(f"Keycloak did not answer while its realm was brought up to date: {error!r}.") from error


def _token(client: httpx.Client, admin: str, password: str) -> str:
    form = {"grant_type": "password", "client_id": "admin-cli", "username": admin, "password": password}
    answer = client.post("/realms/master/protocol/openid-connect/token", data=form).raise_for_status()
    token: str = answer.json()["access_token"]
    return token


def _apply(client: httpx.Client, address: str, realm: Json) -> None:
    client.put(address, json={key: value for key, value in realm.items() if key not in _APART}).raise_for_status()
    for wanted in realm.get("clients", []):
        found = client.get(f"{address}/clients", params={"clientId": wanted["clientId"]}).raise_for_status().json()
        _put_or_post(client, f"{address}/clients", found[0]["id"] if found else None, wanted)
    for wanted in realm.get("identityProviders", []):
        instances = f"{address}/identity-provider/instances"
        known = client.get(f"{instances}/{wanted['alias']}").is_success
        _put_or_post(client, instances, wanted["alias"] if known else None, wanted)
    for component in realm.get("components", {}).get("org.keycloak.userprofile.UserProfileProvider", []):
        profile = component["config"]["kc.user.profile.config"][0]
        client.put(f"{address}/users/profile", json=json.loads(profile)).raise_for_status()


def _put_or_post(client: httpx.Client, address: str, known_as: str | None, wanted: Json) -> None:
    if known_as is None:
        client.post(address, json=wanted).raise_for_status()
    else:
        client.put(f"{address}/{known_as}", json=wanted).raise_for_status()
