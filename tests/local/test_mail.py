"""The mail catcher, over real SMTP and HTTP."""

import smtplib
import uuid
from email.message import EmailMessage

import httpx
import pytest


def send(settings: dict[str, str], to: str, subject: str, text: str, html: str | None = None) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "no-reply@kijko.local", to, subject
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    with smtplib.SMTP(settings["KIJKO_SMTP_HOST"], int(settings["KIJKO_SMTP_PORT"])) as smtp:
        smtp.send_message(message)


@pytest.fixture
def person() -> str:
    return f"{uuid.uuid4().hex}@example.test"


def test_a_mail_is_listed_with_its_recipient_subject_text_and_html(stand_ins, person):
    send(stand_ins, person, "Hallo wereld — é", "Klik: https://kijko.local/a?b=1", "<p>Klik</p>")
    (mail,) = httpx.get(f"{stand_ins['KIJKO_MAIL_URL']}/messages", params={"to": person}).json()
    assert mail["to"] == person
    assert mail["subject"] == "Hallo wereld — é"
    assert mail["text"].strip() == "Klik: https://kijko.local/a?b=1"
    assert mail["html"].strip() == "<p>Klik</p>"


def test_mails_are_listed_oldest_first_and_only_those_of_the_person_asked_for(stand_ins, person):
    for number in range(3):
        send(stand_ins, person, f"number {number}", "text")
        send(stand_ins, f"other-{person}", "not mine", "text")
    mails = httpx.get(f"{stand_ins['KIJKO_MAIL_URL']}/messages", params={"to": person.upper()}).json()
    assert [mail["subject"] for mail in mails] == ["number 0", "number 1", "number 2"]


def test_the_page_shows_a_mail_without_running_what_is_in_it(stand_ins, person):
    send(stand_ins, person, "<script>alert(1)</script>", "<b>text</b>", "<script>alert(2)</script>")
    base = stand_ins["KIJKO_MAIL_URL"]
    (mail,) = httpx.get(f"{base}/messages", params={"to": person}).json()
    index, page = httpx.get(base).text, httpx.get(f"{base}/view/{mail['id']}").text
    assert person in index
    assert "&lt;b&gt;text&lt;/b&gt;" in page
    assert "<script>" not in index + page
    assert "allow-scripts" not in page


def test_no_more_than_500_mails_are_kept_and_deleting_forgets_all(stand_ins, person):
    base = stand_ins["KIJKO_MAIL_URL"]
    with smtplib.SMTP(stand_ins["KIJKO_SMTP_HOST"], int(stand_ins["KIJKO_SMTP_PORT"])) as smtp:
        for number in range(503):
            smtp.sendmail("a@kijko.local", [person], f"Subject: {number}\r\n\r\nx".encode())
    mails = httpx.get(f"{base}/messages").json()
    assert len(mails) == 500
    assert mails[-1]["subject"] == "502"
    assert httpx.delete(f"{base}/messages").status_code == 204
    assert httpx.get(f"{base}/messages").json() == []
