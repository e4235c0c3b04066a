"""Secrets are found and replaced everywhere; what only looks like one stays."""

import pytest

from kijko.services.reading import FileRead, Options, Skipped, read_file, without_secrets

_KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "\n".join(["MIIEpAIBAAKCAQEA7qvK9Zq0mX2s8Lw4Rt6yUo1Pb3Nc5Vd7Fg9Hj2Kl4Mn6Qr8"] * 12)
    + "\n-----END RSA PRIVATE KEY-----"
)
# Put together here, so that no scanner of this repository takes them for real ones.
_SECRETS = {
    "aws-access-key": "AKIA" + "Z5YQ7J3KQ2XW4RTM",
    "github-pat": "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
    "slack-bot-token": "xoxb-" + "123456789012-1234567890123-aBcDeFgHiJkLmNoPqRsTuVwX",
    "gitlab-pat": "glpat-" + "aB3dE5gH7jK9mN1pQ3sT",
    "jwt": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    + "eyJzdWIiOiI5ODc2NTQzMjEwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "private-key": _KEY,
}
_BY_NAME = [
    'db_password = "S3cr3t!Pa55word9"',
    "password: 'aB3$kk99zzQ!1'",
    '{"clientSecret": "f4c8a1d2e3b4a5968778695a4b3c2d1e"}',
    "DB_PASSWORD=S3cr3t!Pa55word9",
    "export API_KEY=9f8e7d6c5b4a39281706f5e4",
    "spring.datasource.password=S3cr3t!Pa55word9",
    "url = postgres://app:Sup3rS3cret9@db.internal:5432/app",
    "Authorization: Bearer 9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c",
    'aws_secret_access_key = "q8kZ1p3Vw0Yx7nT5mB2cR9sL4dF6gH8jK1aS3dE5"',
]
_ORDINARY = [
    'id = "6f1c39aa-9ff5-4324-8a5b-0963ade0ffff"',
    "commit = '9ff59391a5cd6f1c39aa06243348a5b0963ade0f'",
    '"integrity": "sha512-v2kDEe57lecTulaDIuNTPy3Ry4gLGJ6Z1O3vE1krgXZNrsQ+LFTGHVxVjcXPs17LhbZVGedAJv8XZ1tvj5FvSg=="',
    'password = "password"',
    'password = "changeme"',
    'PASSWORD = "your-password-here"',
    'token = os.environ["GITHUB_TOKEN"]',
    "password = get_password(user)",
    "secret_key: ${SECRET_KEY}",
    'password: "{{ vault_password }}"',
    "password = settings.database.password",
    "DB_PASSWORD=$DB_PASSWORD",
    "API_KEY=<your api key>",
    'aws_access_key_id = "AKIAIOSFODNN7EXAMPLE"',
    "postgres://user:password@localhost:5432/db",
    'token_url = "https://example.org/oauth/token"',
    'label_password = "Enter your password"',
    "const passwordField = 'password_confirmation'",
    "def reset_password(token: str) -> None: ...",
    'secret = "<redacted>"',
    '"createCredentialGlobals": ".createcredential"',
    'SUBJECT_TOKEN_TYPE = "urn:ietf:params:aws:token-type:aws4_request"',
    "PRIVATE_KEY_USAGE_PERIOD = ExtensionOID.PRIVATE_KEY_USAGE_PERIOD",
    '# begins with "-----BEGIN ENCRYPTED PRIVATE KEY-----" and so on, then the key and its end',
    "Connection('amqp://guest:guest@broker:5672//')",
    "create_engine('postgresql://scott:tiger@localhost/app')",
    "TOKEN_EXPIRES=86400000",
    "password_hash = hashlib.sha256(password.encode()).hexdigest()",
]


def _read(text: str, path: str = "settings.py", **options: object) -> FileRead:
    found = read_file(path, text.encode(), Options(**{"salt": b"org", **options}))  # type: ignore[arg-type]
    assert isinstance(found, FileRead)
    return found


def _everything(found: FileRead) -> str:
    return repr((found.pieces, found.structure, found.secrets, found.note))


@pytest.mark.parametrize("kind", _SECRETS)
def test_a_secret_is_replaced_and_reported_with_its_line_and_kind(kind: str) -> None:
    secret = _SECRETS[kind]
    found = _read(f'import os\n\nvalue = """{secret}"""\n')
    assert secret not in _everything(found)
    assert [(each.kind, each.line) for each in found.secrets] == [(kind, 3)]
    assert found.secrets[0].placeholder in found.pieces[0].text
    assert found.original_tokens > found.tokens


@pytest.mark.parametrize("line", _BY_NAME)
def test_what_is_called_a_password_or_a_key_is_a_secret(line: str) -> None:
    found = _read(f"# settings\n{line}\n", "app.conf")
    assert len(found.secrets) == 1
    assert "[secret:" in found.pieces[0].text


@pytest.mark.parametrize("line", _ORDINARY)
def test_ordinary_code_stays_as_it_is(line: str) -> None:
    found = _read(f"{line}\n")
    assert found.secrets == ()
    assert found.pieces[0].text == f"{line}\n"


def test_the_same_secret_has_the_same_placeholder_under_the_same_salt_only() -> None:
    text = f"a = '{_SECRETS['github-pat']}'\nb = '{_SECRETS['gitlab-pat']}'\n"
    one, again, other = _read(text), _read(f"\n\n{text}", "b.js"), _read(text, salt=b"another")
    assert [each.placeholder for each in one.secrets] == [each.placeholder for each in again.secrets]
    assert not {each.placeholder for each in one.secrets} & {each.placeholder for each in other.secrets}


def test_without_anonymizing_secrets_are_only_reported() -> None:
    text = f"a = '{_SECRETS['github-pat']}'\n"
    found = _read(text, anonymize_secrets=False)
    assert found.pieces[0].text == text
    assert [each.kind for each in found.secrets] == ["github-pat"]


def test_a_secret_is_replaced_wherever_it_stands_once_it_was_found() -> None:
    found = _read('password = "S3cr3t!Pa55word9"\n\n\ndef connect():\n    login("app", "S3cr3t!Pa55word9")\n')
    assert "S3cr3t!Pa55word9" not in _everything(found)
    assert [each.line for each in found.secrets] == [1, 5]


@pytest.mark.parametrize("strategy", ["semantic", "recursive", "fixed"])
@pytest.mark.parametrize("before", range(0, 60, 7))
def test_no_border_lets_a_part_of_a_secret_through(strategy: str, before: int) -> None:
    secret = _SECRETS["jwt"]
    text = "x = 1\n" * before + f"def f{before}():\n    return '{secret}'\n" + "y = 2\n" * 40
    found = _read(text, strategy=strategy, budget_tokens=16, overlap_tokens=8)
    shown = _everything(found)
    assert all(secret[at : at + 12] not in shown for at in range(0, len(secret) - 12, 6))


def test_lines_and_bytes_stay_the_file_s_after_a_key_of_many_lines() -> None:
    text = f"KEY = '''{_KEY}'''\n\n\ndef after():\n    return 1\n"
    found = _read(text, budget_tokens=16, overlap_tokens=0, strategy="recursive")
    last = found.pieces[-1]
    assert last.end_byte == len(text)
    assert last.end_line == text.count("\n")
    assert text.encode()[last.start_byte : last.end_byte].decode() == last.text


def test_a_secret_in_a_name_or_a_signature_is_hidden_too() -> None:
    secret = _SECRETS["gitlab-pat"]
    found = _read(
        f"def login(token='{secret}'):\n    return token\n\n\nclass A:\n    # TODO: use {secret}\n    pass\n",
        annotations=True,
    )
    assert secret not in _everything(found)


def test_a_comment_cannot_switch_the_search_off() -> None:
    found = _read(f"token = '{_SECRETS['gitlab-pat']}'  # kijko: ignore kingfisher:ignore gitleaks:allow nosec\n")
    assert len(found.secrets) == 1


@pytest.mark.parametrize("kind", ["github-pat", "aws-access-key", "gitlab-pat"])
def test_a_file_whose_path_has_a_secret_is_left_out_while_secrets_are_hidden(kind: str) -> None:
    path = f"keys/{_SECRETS[kind]}.txt"
    assert read_file(path, b"plain\n", Options(salt=b"org")) == Skipped("its path has a secret in it")
    assert isinstance(read_file(path, b"plain\n", Options(salt=b"org", anonymize_secrets=False)), FileRead)


@pytest.mark.parametrize(
    "path",
    [
        "supabase/migrations/20261123000100_tenancy.sql",
        "assets/index-4f3a9b2c1d0e8f7a.css",
        "objects/9ff59391a5cd6f1c39aa06243348a5b0963ade0f/readme.md",
        "6f1c39aa-9ff5-4324-8a5b-0963ade0ffff/a.py",
        "tests/password_token_secret_2026_test.py",
        "\udcff-not-utf8-20261123000100.py",
    ],
)
def test_a_path_with_long_words_is_read(path: str) -> None:
    assert isinstance(read_file(path, b"x = 1\n", Options(salt=b"org")), FileRead)


def test_a_line_beside_the_files_is_redacted_as_they_are() -> None:
    line = f"Rotate {_SECRETS['github-pat']} away"
    hidden = without_secrets(line, Options(salt=b"org"))
    in_a_file = _read(f"x = '{_SECRETS['github-pat']}'\n").secrets[0].placeholder
    assert hidden == f"Rotate {in_a_file} away"
    assert without_secrets(line, Options(salt=b"org", anonymize_secrets=False)) == line
