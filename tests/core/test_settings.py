"""Settings that cannot be right are told in sentences that name the variable and what is allowed."""

import pytest

from kijko.setting_errors import MissingSetting, WrongSetting
from kijko.settings import Settings, read, require

WRONG = [
    ("KIJKO_PORT", "abc", "KIJKO_PORT is abc; it has to be a whole number from 1 to 65535."),
    ("KIJKO_PORT", "65536", "KIJKO_PORT is 65536; it has to be a whole number from 1 to 65535."),
    ("KIJKO_WORKER_CONCURRENCY", "0", "is 0; it has to be a whole number of at least 1."),
    ("KIJKO_REDIS_TIMEOUT_S", "-1", "is -1; it has to be a number above 0."),
    ("KIJKO_LOG_LEVEL", "loud", "KIJKO_LOG_LEVEL is loud; it has to be one of DEBUG, INFO, WARNING, ERROR."),
    ("KIJKO_ENVIRONMENT", "prod", "it has to be one of development, production."),
    ("KIJKO_HTTP_DOCS", "perhaps", "it has to be true or false."),
    ("KIJKO_WEB_URL", "app.kijko.test", "KIJKO_WEB_URL is app.kijko.test; it has to be a web address, such as https:"),
    ("KIJKO_KEYCLOAK_URL", "http://host:port", "it has to be a web address"),
    (
        "KIJKO_STORAGE_URL",
        "ftp://x",
        "KIJKO_STORAGE_URL is ftp://x; it has to be file:///folder or s3://bucket/prefix.",
    ),
    ("KIJKO_HTTP_CORS_ORIGINS", "https://a.test", "it has to be a JSON list"),
    ("KIJKO_HTTP_CORS_ORIGINS", '["https://a.test/app"]', "it has to be a JSON list of origins without a path"),
    ("KIJKO_HTTP_TRUSTED_PROXIES", '["ten"]', 'it has to be a JSON list of networks, such as ["10.0.0.0/8"].'),
    ("KIJKO_GIT_ALLOWED_HOSTS", '["host"]', "it has to be a JSON list of host:port pairs"),
    ("KIJKO_AUTH_TRUSTED_ISSUERS", '[{"issuer": "x"}]', "0.jwks_url: field required"),
    (
        "KIJKO_DATABASE_POOLSIZE",
        "1",
        "KIJKO_DATABASE_POOLSIZE is not a setting. Did you mean KIJKO_DATABASE_POOL_SIZE?",
    ),
    ("KIJKO_MAIL_SENDER", "nobody", "KIJKO_MAIL_SENDER is nobody; it has to be an e-mail address, such as no-reply@"),
    ("KIJKO_MAIL_TLS", "yes", "KIJKO_MAIL_TLS is yes; it has to be one of none, starttls, tls."),
    ("KIJKO_LOG_COLOUR", "red", "There are: KIJKO_LOG_LEVEL, KIJKO_LOG_FORMAT."),
    ("KIJKO_HTTP", "on", "KIJKO_HTTP names a group of settings, not one."),
]
SECRET = [
    ("KIJKO_DATABASE_URL", "mysql://kijko:hush@host/db", "has to be a Postgres address"),
    ("KIJKO_REDIS_URL", "http://:hush@host", "has to be a Redis address"),
    ("KIJKO_AUTH_ENCRYPTION_KEY", "hush", "has to be Fernet keys (32 bytes, url-safe base64)"),
]


@pytest.mark.parametrize(("name", "value", "sentence"), WRONG)
def test_a_wrong_setting_is_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str):
    monkeypatch.setenv(name, value)
    with pytest.raises(WrongSetting) as told:
        read()
    assert len(told.value.sentences) == 1
    assert str(told.value).startswith(name)
    assert sentence in str(told.value)


@pytest.mark.parametrize(("name", "value", "sentence"), SECRET)
def test_of_a_wrong_secret_nothing_is_repeated(monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str):
    monkeypatch.setenv(name, value)
    with pytest.raises(WrongSetting) as told:
        read()
    assert str(told.value).startswith(f"{name} cannot be used")
    assert sentence in str(told.value)
    assert "hush" not in str(told.value)


def test_all_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KIJKO_PORT", "abc")
    monkeypatch.setenv("KIJKO_LOG_LEVEL", "loud")
    with pytest.raises(WrongSetting) as told:
        read()
    assert len(str(told.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KIJKO_DATABASE_URL", "host=/run/postgresql dbname=kijko"),
        ("KIJKO_DATABASE_URL", "postgresql://a:1,b:2/kijko"),
        ("KIJKO_REDIS_URL", "rediss://:x@host"),
        ("KIJKO_STORAGE_URL", "file:///a folder"),
        ("KIJKO_HTTP_TRUSTED_PROXIES", '["10.0.0.1/8", "::1"]'),
        ("KIJKO_GIT_ALLOWED_HOSTS", '["[::1]:80"]'),
        ("KIJKO_PORT", ""),
        ("KIJKO_WEB_URL", ""),
    ],
)
def test_what_is_right_or_empty_is_taken(monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    monkeypatch.setenv(name, value)
    read()


def test_what_a_process_cannot_do_without_is_named():
    with pytest.raises(MissingSetting, match="KIJKO_DATABASE_API_URL is not set"):
        require(Settings(), "database.api_url")
