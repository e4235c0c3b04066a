"""Colleagues who are added to a project hear of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

import pytest

from kijko.services.invitations.notices import Added, written
from tests.auth.conftest import Mailbox
from tests.conftest import Person, Shared
from tests.people.making import Owner, invited, mailed, until
from tests.people.servers import Taking, serving
from tests.people.test_outbox import outbox
from tests.postgres import Sql, colleague, someone
from tests.projects.making import hire, make_project

Make = Callable[..., Person]
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LINK = "https://app.kijko.test/projects/7"
ABOUT = Added(
    mail_id=UUID(int=7),
    email="grace@example.org",
    language="en",
    adder="Ada Lovelace",
    organization="Analytical Engines",
    project="Payments",
    message=None,
)


def notices(owner: Owner, project: dict[str, object]) -> list[tuple[str, str]]:
    """Who is told of being in a project, and how far that is."""
    return owner.execute(
        "select a.email, a.status from mails a join project_members m on m.id = a.member_id where m.project_id = %s",
        (project["id"],),
    ).fetchall()


@pytest.mark.parametrize(
    ("accepts", "subject", "words"),
    [
        ("en", "Test Person added you to Payments engine", "Open the project here:"),
        ("nl-NL,nl;q=0.9", "Test Person heeft je toegevoegd aan Payments engine", "Open het project hier:"),
    ],
)
async def test_a_colleague_who_is_added_gets_a_mail_that_leads_to_the_project(
    person: Make, mailbox: Mailbox, owner: Owner, shared: Shared, accepts: str, subject: str, words: str
) -> None:
    boss = person()
    boss.http.headers["Accept-Language"] = accepts
    worker = hire(owner, shared, boss, person())
    project = await make_project(boss, name="Payments engine")
    await invited(boss, project, worker.email, inviteMessage="Do <b>come</b>.")
    mail = mailbox.wait(worker.email, subject=subject)
    assert f"/projects/{project['id']}" in mail["text"]
    assert words in mail["text"]
    assert "> Do <b>come</b>." in mail["text"]
    assert "Do &lt;b&gt;come&lt;/b&gt;." in mail["html"]
    assert "Test organization" in mail["html"]
    assert "/invitations/" not in mail["text"]
    until(lambda: notices(owner, project) == [(worker.email, "sent")])


async def test_many_who_are_added_at_once_are_told_each(
    person: Make, mailbox: Mailbox, owner: Owner, shared: Shared
) -> None:
    boss = person()
    workers = [hire(owner, shared, boss, person()) for _ in range(2)]
    project = await make_project(boss)
    levels = ("daily", "disabled")
    invitations = [
        {"email": each.email, "role": "viewer", "notificationLevel": level}
        for each, level in zip(workers, levels, strict=True)
    ]
    answer = await boss.http.post(f"/projects/{project['id']}/invitations", json={"invitations": invitations})
    assert [each["status"] for each in answer.json()["results"]] == ["sent", "sent"]
    mailbox.wait(workers[0].email, subject="added you to")
    # Whose notices are off hears nothing.
    assert [email for email, _ in notices(owner, project)] == [workers[0].email]


async def test_who_adds_themselves_is_told_nothing(person: Make, owner: Owner, shared: Shared) -> None:
    boss = person()
    maker = hire(owner, shared, boss, person())
    project = await make_project(maker)
    await invited(boss, project, boss.email)
    assert notices(owner, project) == []


async def test_notices_are_few_and_take_no_invitation_away(
    person: Make, mailbox: Mailbox, owner: Owner, shared: Shared
) -> None:
    boss, other = person(), person()
    worker = hire(owner, shared, boss, person())
    for _ in range(6):
        await invited(boss, await make_project(boss), worker.email)
    count = "select count(*) from mails where email = %s and kind = 'added'"
    assert owner.execute(count, (worker.email,)).fetchone() == (5,)
    # Another organization may still invite them.
    await invited(other, await make_project(other), worker.email)
    mailed(mailbox, worker.email)


async def test_who_was_taken_out_again_before_the_mail_left_is_told_nothing(copy: Callable[[str], Sql]) -> None:
    own = copy("migrated")
    boss = someone(own, plan="enterprise")
    leaves, stays = colleague(own, boss), colleague(own, boss)
    with own.person(boss.user, boss.organization) as connection:
        row = connection.execute(
            "insert into projects (organization_id, user_id, name, type) values (%s, %s, 'Payments', 'files') "
            "returning id",
            (boss.organization, boss.user),
        ).fetchone()
        assert row is not None
        for each in (leaves, stays):
            invite = "select outcome, member_id from kijko.invite_to_project(%s, %s, 'viewer', '{}', null, 'en')"
            made = connection.execute(invite, (row[0], each.email)).fetchone()
            assert made is not None
            assert made[0] == "joined"
            if each is leaves:
                connection.execute("select kijko.remove_project_member(%s, %s, false)", (row[0], made[1]))
    with serving(server := Taking()) as port:
        async with outbox(own, port) as sender:
            assert await sender.send_due() == 1
    assert [to for to, _ in server.taken] == [stays.email]
    assert sorted(own.run("select status from mails")) == [("dropped",), ("sent",)]


def sent(about: Added) -> EmailMessage:
    """The mail as it arrives."""
    raw = written(about, LINK, "Kijko <no-reply@kijko.test>", NOW).as_bytes()
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


@pytest.mark.parametrize("evil", ["a\r\nBcc: all@x.test", "=?utf-8?q?a=0ABcc:_x?=", "<script>{link}%s", "\u202eevil"])
def test_no_name_brings_a_header_or_a_tag_of_its_own(evil: str) -> None:
    mail = sent(replace(ABOUT, adder=evil, project=evil, organization=evil, message=evil))
    assert set(mail.keys()) == {
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert "\n" not in mail["subject"]
    html = mail.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()


def test_somebody_without_a_name_is_somebody() -> None:
    assert sent(replace(ABOUT, adder=""))["subject"] == "Somebody added you to Payments"
    assert sent(replace(ABOUT, adder=" ", language="nl"))["subject"].startswith("Iemand heeft")
