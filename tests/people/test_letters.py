"""What a mail says, and what nobody can make it say."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

import pytest

from kijko.services.invitations.letters import Invitation, preferred, written

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LINK = "https://app.kijko.test/invitations/abc_-123"
ABOUT = Invitation(
    mail_id=UUID(int=7),
    email="grace@example.org",
    language="en",
    inviter="Ada Lovelace",
    organization="Analytical Engines",
    project="Payments",
    message="Shall we?",
    expires_at=datetime(2026, 3, 8, 9, 5, tzinfo=UTC),
)


def sent(about: Invitation = ABOUT) -> EmailMessage:
    """The mail as it arrives."""
    found = message_from_bytes(
        written(about, LINK, "Kijko <no-reply@kijko.test>", NOW).as_bytes(), policy=policy.default
    )
    assert isinstance(found, EmailMessage)
    return found


def parts(mail: EmailMessage) -> tuple[str, str]:
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


def test_it_is_text_and_html_with_who_asks_where_to_the_link_and_its_end() -> None:
    mail = sent()
    assert mail.get_content_type() == "multipart/alternative"
    assert mail["subject"] == "Ada Lovelace invites you to Payments"
    assert (mail["from"], mail["to"]) == ("Kijko <no-reply@kijko.test>", "grace@example.org")
    assert mail["message-id"] == "<00000000-0000-0000-0000-000000000007@kijko.test>"
    assert mail["auto-submitted"] == "auto-generated"
    for part in parts(mail):
        for word in ("Ada Lovelace", "Payments", "Analytical Engines", LINK, "March 8, 2026, 09:05 UTC", "Shall we?"):
            assert word in part
        assert "grace@example.org alone" in part


def test_in_dutch_it_says_the_same() -> None:
    mail = sent(replace(ABOUT, language="nl"))
    assert mail["subject"] == "Ada Lovelace nodigt je uit voor Payments"
    for part in parts(mail):
        for word in ("nodigt je uit", "Analytical Engines", LINK, "8 maart 2026, 09:05 UTC", "Ada Lovelace schreef"):
            assert word in part
    assert '<html lang="nl">' in parts(mail)[1]


def test_an_organizations_has_no_project_and_without_a_message_nobody_wrote() -> None:
    mail = sent(replace(ABOUT, project=None, message=" \n "))
    assert mail["subject"] == "Ada Lovelace invites you to Analytical Engines"
    assert "join Analytical Engines in Kijko" in parts(mail)[0]
    assert "wrote" not in parts(mail)[0] + parts(mail)[1]


@pytest.mark.parametrize(
    "evil",
    [
        "a\r\nBcc: all@x.test",
        "a\nSubject: b\n\nbody",
        "a\x00b",
        "a\u2028Bcc: x",
        "\r",
        "x" * 5000,
        "=?utf-8?q?a=0D=0ABcc:_all=40x.test=0D=0A=0D=0Abody?=",
        "=?utf-8?b?YQ0KQmNjOiBhbGxAeC50ZXN0?=",
        "=\x00?utf-8?q?a=0ABcc:_x?=",
    ],
)
def test_no_name_brings_a_header_of_its_own(evil: str) -> None:
    mail = sent(replace(ABOUT, inviter=evil, project=evil, organization=evil, message=evil))
    assert set(mail.keys()) == {
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert "\n" not in mail["subject"]
    assert len(mail["subject"]) < 300
    assert mail["to"] == "grace@example.org"


def test_what_people_wrote_is_text_in_html_and_no_format_of_ours() -> None:
    evil = "<script>alert(1)</script>{link}{0}%s"
    text, html = parts(sent(replace(ABOUT, inviter=evil, organization=evil, project=evil, message=evil)))
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "{link}{0}%s" in text


def test_names_of_every_script_arrive() -> None:
    mail = sent(replace(ABOUT, inviter="Zoë Ünal 李", organization="Ελλάδα", project="Прое́кт"))
    assert mail["subject"] == "Zoë Ünal 李 invites you to Прое́кт"
    assert "Ελλάδα" in parts(mail)[0]


def test_somebody_without_a_name_is_somebody() -> None:
    assert sent(replace(ABOUT, inviter=""))["subject"] == "Somebody invites you to Payments"
    assert sent(replace(ABOUT, inviter="", language="nl"))["subject"].startswith("Iemand nodigt")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("nl", "nl"),
        ("nl-BE,nl;q=0.9,en;q=0.5", "nl"),
        ("en-GB,nl;q=0.9", "en"),
        ("de,fr;q=0.8,nl;q=0.2", "nl"),
        ("de", "en"),
        ("nl;q=0,en;q=0.1", "en"),
        ("nl;q=x", "en"),
        ("NL", "nl"),
        (";;;,,,=", "en"),
    ],
)
def test_the_language_is_the_one_that_the_browser_prefers(header: str | None, language: str) -> None:
    assert preferred(header, "en") == language


def test_where_it_prefers_neither_the_setting_decides() -> None:
    assert preferred("de", "nl") == "nl"
    assert preferred(None, "nl") == "nl"
