"""The whole stack, as every other test uses it: doctor finds it well, and a realm can be brought in step."""

import json
import uuid

import httpx
import psutil
from tests.local.running import kijko

from kijko.local import keycloak, keycloak_realm
from kijko.local.attach import attach


def test_doctor_finds_everything_well(stack_env, shared):
    told = kijko(shared.home, "doctor")
    assert told.returncode == 0, told.stdout
    assert "Everything is well." in told.stdout
    assert "Google and GitHub: google is set up; github is set up" in told.stdout


def test_doctor_says_which_provider_to_sign_in_with_is_not_set_up_and_calls_it_no_fault(stack_env, shared):
    told = kijko(shared.home, "doctor", KIJKO_GITHUB_CLIENT_ID="")
    assert told.returncode == 0, told.stdout
    assert "google is set up; github is not set up (KIJKO_GITHUB_CLIENT_ID, here and for Keycloak)" in told.stdout


def test_doctor_says_what_is_wrong_and_how_to_mend_it(stack_env, shared):
    told = kijko(shared.home, "doctor", KIJKO_STRIPE_SECRET_KEY="sk_test_wrong", KIJKO_REDIS_URL="redis://127.0.0.1:1")
    assert told.returncode == 1
    assert "Correct KIJKO_STRIPE_SECRET_KEY" in told.stdout
    assert "correct KIJKO_REDIS_URL" in told.stdout
    assert "2 to mend." in told.stdout


def test_status_names_every_part_with_its_living_process(stack_env, shared):
    told = json.loads(kijko(shared.home, "status", "-o", "json").stdout)
    assert {part["name"] for part in told["parts"]} >= {"postgres", "redis", "keycloak", "api", "worker", "scheduler"}
    assert all(part["state"] == "running" for part in told["parts"])
    (java,) = [part["pid"] for part in told["parts"] if part["name"] == "keycloak"]
    assert any("QuarkusEntryPoint" in word for word in psutil.Process(int(java)).cmdline())


def test_every_part_listens_on_this_machine_alone_and_keycloak_joins_no_cluster(stack_env, shared):
    told = json.loads(kijko(shared.home, "status", "-o", "json").stdout)
    listening = {
        (part["name"], connection.laddr.ip)
        for part in told["parts"]
        for connection in psutil.Process(int(part["pid"])).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {name for name, _ in listening} >= {"postgres", "redis", "keycloak", "mail", "stripe", "api"}
    assert {address for _, address in listening} <= {"127.0.0.1", "::ffff:127.0.0.1"}


def test_whatever_the_tests_did_so_far_every_line_of_our_logs_is_json(stack_env, shared):
    for name in ("api", "worker", "scheduler"):
        whole, _, _ = (shared.home / "logs" / f"{name}.log").read_text().rpartition("\n")
        lines = [json.loads(line) for line in whole.splitlines()]
        assert lines
        assert all({"time", "level", "event"} <= line.keys() for line in lines)


def test_keycloaks_readiness_which_health_asks_for_looks_at_its_database(stack_env):
    ready = httpx.get(f"{stack_env['KIJKO_KEYCLOAK_MANAGEMENT_URL']}/health/ready", timeout=10).json()
    assert [check["status"] for check in ready["checks"] if "database" in check["name"]] == ["UP"]


def test_migrations_are_all_applied_and_migrating_again_does_nothing(stack_env, shared):
    assert "pending" not in kijko(shared.home, "migrate", "--status").stdout
    assert "up to date" in kijko(shared.home, "migrate", "--dry-run").stdout
    assert "up to date" in kijko(shared.home, "migrate").stdout


def test_the_demo_user_can_log_in(stack_env, api):
    body = {"email": stack_env["KIJKO_DEV_EMAIL"], "password": stack_env["KIJKO_DEV_PASSWORD"]}
    answer = httpx.post(f"{stack_env['KIJKO_API_URL']}/api/auth/login", json=body, headers=api.headers, timeout=30)
    assert answer.status_code == 200


def test_the_demo_organization_is_on_a_plan_that_does_not_end_after_ten_runs(stack_env, owner):
    query = (
        "select g.plan_id from plan_grants g join memberships m using (organization_id) "
        "join users u on u.id = m.user_id where u.email = %s and g.revoked_at is null"
    )
    assert owner.execute(query, (stack_env["KIJKO_DEV_EMAIL"],)).fetchall() == [("teams",)]


def test_an_operator_puts_a_persons_organization_on_a_plan(stack_env, shared, person, owner):
    somebody = person(plan="free")
    told = kijko(shared.home, "plan", somebody.email.upper(), "enterprise")
    assert (told.returncode, "on the plan enterprise" in told.stdout) == (0, True)
    query = "select plan_id from public.plan_grants where organization_id = %s and revoked_at is null"
    assert owner.execute(query, (somebody.organization_id,)).fetchall() == [("enterprise",)]
    assert "no plan 'gold'" in kijko(shared.home, "plan", somebody.email, "gold").stderr
    assert "Check the address" in kijko(shared.home, "plan", "nobody@people.test", "pro").stderr


def test_a_changed_realm_file_reaches_a_realm_that_was_imported_before(stack_env, shared):
    site = attach({"KIJKO_HOME": str(shared.home)})
    realm = keycloak_realm.filled(keycloak.REALM_FILE.read_text(), keycloak.realm_values(site))
    name = f"test-{uuid.uuid4().hex}"
    client = {"clientId": name, "publicClient": True, "redirectUris": ["http://one.test/*"]}
    base, password = stack_env["KIJKO_KEYCLOAK_URL"], stack_env["KIJKO_DEV_KEYCLOAK_PASSWORD"]
    for address in ("http://one.test/*", "http://two.test/*"):
        client["redirectUris"] = [address]
        keycloak_realm.apply(base, "admin", password, {**realm, "clients": [*realm["clients"], client]})
        asked = {"client_id": name, "redirect_uri": address.replace("*", "x"), "response_type": "code"}
        answer = httpx.get(f"{base}/realms/kijko/protocol/openid-connect/auth", params=asked)
        assert answer.status_code == 200
        refused = httpx.get(
            f"{base}/realms/kijko/protocol/openid-connect/auth", params={**asked, "redirect_uri": "http://three.test/"}
        )
        assert refused.status_code == 400
