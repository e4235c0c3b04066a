"""The realm as it was imported: no way in beside the API, and mails in our own words."""

import asyncio
import secrets

import httpx


async def _signed_up(api: httpx.AsyncClient) -> dict[str, str]:
    person = {
        "email": f"{secrets.token_hex(6)}@people.test",
        "password": "dev-only-Realm-1",
        "first_name": "Ada",
        "last_name": "Lovelace",
    }
    answer = await api.post("/api/auth/signup", json=person)
    assert answer.status_code == 201, answer.text
    return person


async def test_no_client_takes_a_password_past_the_api(api: httpx.AsyncClient, stack_env: dict[str, str]) -> None:
    person = await _signed_up(api)
    address = (
        f"{stack_env['KIJKO_KEYCLOAK_URL']}/realms/{stack_env['KIJKO_KEYCLOAK_REALM']}/protocol/openid-connect/token"
    )
    form = {"grant_type": "password", "username": person["email"], "password": person["password"]}
    for client in ("admin-cli", "account", "account-console", "broker", "security-admin-console", "kijko-web"):
        answer = await api.post(address, data=form | {"client_id": client})
        assert answer.status_code in (400, 401), f"{client}: {answer.text}"
        assert answer.json()["error"] in ("unauthorized_client", "invalid_client"), f"{client}: {answer.text}"


async def test_the_mail_for_a_new_password_says_who_asked_for_it(
    api: httpx.AsyncClient, stack_env: dict[str, str]
) -> None:
    person = await _signed_up(api)
    assert (await api.post("/api/auth/password/forgot", json={"email": person["email"]})).status_code == 202
    for _ in range(150):
        mails = (await api.get(stack_env["KIJKO_MAIL_URL"] + "/messages", params={"to": person["email"]})).json()
        found = [mail for mail in mails if mail["subject"] == "Choose a new password for Kijko"]
        if found:
            break
        await asyncio.sleep(0.2)
    assert found, f"no such mail among {[mail['subject'] for mail in mails]}"
    assert "administrator" not in found[0]["text"] + found[0]["html"]
