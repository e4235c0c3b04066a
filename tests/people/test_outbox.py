"""The outbox: what was asked for is sent once, whatever the mail server and the sender do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from kijko.clients import mail
from kijko.clients.mail import MailUnavailable, Smtp
from kijko.local import ports
from kijko.services.invitations import Outbox
from kijko.services.invitations.outbox import delay_s
from kijko.setting_errors import MissingSetting, WrongSetting
from kijko.settings import Database, Mail, Settings
from kijko.workers.runtime import connect_worker
from tests.people.making import fresh_email, token_in, until
from tests.people.servers import Hanging, Slow, Taking, scheduler, serving
from tests.postgres import Someone, Sql, someone


@pytest.fixture
def own(copy: Callable[[str], Sql]) -> Sql:
    """A database whose outbox nobody else empties."""
    return copy("migrated")


def ask(database: Sql, boss: Someone, email: str | None = None) -> str:
    """Invite somebody, as the API does it."""
    email = email or fresh_email()
    with database.person(boss.user, boss.organization) as connection:
        row = connection.execute("select outcome from kijko.invite_to_organization(%s, 'member', 'en')", (email,))
        assert row.fetchone() == ("invited",)
    return email


@asynccontextmanager
async def outbox(database: Sql, port: int) -> AsyncIterator[Outbox]:
    """A sender, as the scheduler has it."""
    settings = Settings(
        database=Database(worker_url=SecretStr(database.url("kijko_worker"))),
        mail=Mail(host="127.0.0.1", port=port, tls="none", timeout_s=5),
    )
    tenants = await connect_worker(settings, "tests")
    mailer = mail.connect(settings.mail)
    assert mailer is not None
    try:
        yield Outbox(tenants, mailer, settings)
    finally:
        await tenants.database.close()


def state(database: Sql, email: str) -> tuple[str, int]:
    (row,) = database.run("select status, attempts from mails where email = %s", email)
    return row[0], row[1]


def let_time_pass(database: Sql) -> None:
    database.run("update mails set due_at = now(), lease_until = least(lease_until, now() - interval '1 second')")


async def test_a_server_that_refuses_for_now_is_tried_again_and_the_invitation_stays(own: Sql) -> None:
    boss = someone(own, plan="enterprise")
    email = ask(own, boss)
    answers = ["451 busy", "421 going down"]
    server = Taking(lambda _: answers.pop(0) if answers else None)
    with serving(server) as port:
        async with outbox(own, port) as sender:
            for tries in (1, 2):
                assert await sender.send_due() == 0
                assert state(own, email) == ("pending", tries)
                assert await sender.send_due() == 0  # not before its time
                assert len(server.tried) == tries
                let_time_pass(own)
            assert await sender.send_due() == 1
            assert await sender.send_due() == 0
    assert state(own, email) == ("sent", 3)
    ((to, message),) = server.taken
    assert to == email
    token = token_in({"text": message.get_body(("plain",)).get_content()})
    digest = "select count(*) from invitation_links where token_digest = sha256(%s)"
    assert own.one(digest, token.encode()) == 1


async def test_a_server_that_is_away_is_waited_for(own: Sql) -> None:
    boss = someone(own, plan="enterprise")
    email = ask(own, boss)
    port = ports.choose(set())
    async with outbox(own, port) as sender:
        assert await sender.send_due() == 0
        assert state(own, email) == ("pending", 1)
        assert "does not answer well" in own.one("select error from mails where email = %s", email)
        with serving(server := Taking(), port):
            let_time_pass(own)
            assert await sender.send_due() == 1
    assert [to for to, _ in server.taken] == [email]


async def test_an_address_that_is_refused_for_good_is_not_tried_again_and_others_go_on(own: Sql) -> None:
    boss = someone(own, plan="enterprise")
    bad, good = ask(own, boss, f"bad-{fresh_email()}"), ask(own, boss)
    server = Taking(lambda address: "550 5.1.1 no such mailbox" if address.startswith("bad") else None)
    with serving(server) as port:
        async with outbox(own, port) as sender:
            assert await sender.send_due() == 1
            let_time_pass(own)
            assert await sender.send_due() == 0
    assert (state(own, bad), state(own, good)) == (("failed", 1), ("sent", 1))
    assert own.one("select error from mails where email = %s", bad) == "550 5.1.1 no such mailbox"


async def test_several_senders_at_once_send_each_mail_once(own: Sql) -> None:
    boss = someone(own, plan="enterprise")
    emails = [ask(own, boss) for _ in range(30)]
    with serving(server := Taking()) as port:
        async with outbox(own, port) as first, outbox(own, port) as second, outbox(own, port) as third:
            sent = await asyncio.gather(first.send_due(), second.send_due(), third.send_due())
    assert sum(sent) == 30
    assert sorted(to for to, _ in server.taken) == sorted(emails)


async def test_what_nobody_waits_for_any_more_is_not_sent(own: Sql) -> None:
    boss = someone(own, plan="enterprise")
    withdrawn, late, anew = ask(own, boss), ask(own, boss), ask(own, boss)
    with own.person(boss.user, boss.organization) as connection:
        connection.execute("select kijko.withdraw_invitation(id) from invitations where email = %s", (withdrawn,))
    own.run("update invitations set expires_at = now() where email = any(%s)", [late, anew])
    ask(own, boss, anew)
    with serving(server := Taking()) as port:
        async with outbox(own, port) as sender:
            assert await sender.send_due() == 1
    assert [to for to, _ in server.taken] == [anew]
    assert own.run("select status from mails where email = any(%s)", [withdrawn, late]) == [("dropped",)] * 2


async def test_a_mail_whose_sender_was_killed_is_sent_by_another(own: Sql, tmp_path: Path) -> None:
    boss = someone(own, plan="enterprise")
    email = ask(own, boss)
    hanging = Hanging()
    with (
        serving(hanging) as port,
        scheduler(own, tmp_path / "first.log", KIJKO_MAIL_HOST="127.0.0.1", KIJKO_MAIL_PORT=str(port)) as first,
    ):
        assert await asyncio.to_thread(hanging.reached.wait, 30)
        first.kill()
        first.wait()
    assert state(own, email) == ("pending", 1)
    with serving(server := Taking()) as port:
        settings = {"KIJKO_MAIL_HOST": "127.0.0.1", "KIJKO_MAIL_PORT": str(port)}
        with scheduler(own, tmp_path / "second.log", **settings), scheduler(own, tmp_path / "third.log", **settings):
            other = ask(own, boss)
            await asyncio.to_thread(until, lambda: state(own, other)[0] == "sent")
            assert state(own, email)[0] == "pending"  # the dead one's lease still runs
            let_time_pass(own)
            await asyncio.to_thread(until, lambda: state(own, email)[0] == "sent")
    assert sorted(to for to, _ in server.taken) == sorted([email, other])
    # Both tries' links are good: the first may have arrived after all.
    assert own.one("select count(*) from invitation_links l join invitations i on i.id = l.invitation_id "
                   "where i.email = %s", email) == 2  # fmt: skip


async def test_a_sender_that_is_asked_to_stop_writes_down_what_was_just_taken(own: Sql, tmp_path: Path) -> None:
    boss = someone(own, plan="enterprise")
    email = ask(own, boss)
    with serving(slow := Slow()) as port:
        settings = {"KIJKO_MAIL_HOST": "127.0.0.1", "KIJKO_MAIL_PORT": str(port)}
        with scheduler(own, tmp_path / "log", **settings) as process:
            assert await asyncio.to_thread(slow.reached.wait, 30)
            process.terminate()
            assert await asyncio.to_thread(process.wait, 20) == 0
    assert state(own, email) == ("sent", 1)
    assert [to for to, _ in slow.taken] == [email]


async def test_without_a_mail_server_mails_wait_and_the_scheduler_says_so(own: Sql, tmp_path: Path) -> None:
    boss = someone(own, plan="enterprise")
    email = ask(own, boss)
    with scheduler(own, tmp_path / "log"):
        await asyncio.to_thread(until, lambda: "KIJKO_MAIL_HOST is not set" in (tmp_path / "log").read_text())
    assert state(own, email) == ("pending", 0)


def test_the_time_between_tries_grows_to_half_an_hour() -> None:
    delays = [delay_s(attempts) for attempts in range(1, 40)]
    assert delays[:4] == [2, 4, 8, 16]
    assert delays == sorted(delays)
    assert delays[-1] == 1800


async def test_what_has_had_its_time_is_forgotten(own: Sql) -> None:
    from kijko.services import invitations

    boss = someone(own, plan="enterprise")
    old, new, waiting = ask(own, boss), ask(own, boss), ask(own, boss)
    own.run("update mails set status = 'sent' where email <> %s", waiting)
    own.run("update mails set created_at = now() - interval '31 days' where email in (%s, %s)", old, waiting)
    async with outbox(own, 1) as sender:
        await invitations.forget(sender.database)
    assert {email for (email,) in own.run("select email from mails")} == {new, waiting}


def test_a_password_is_not_sent_over_a_connection_that_everybody_reads() -> None:
    with pytest.raises(WrongSetting, match="KIJKO_MAIL_TLS is none; it has to be starttls or tls"):
        Smtp(Mail(host="smtp.example.test", user="kijko", password=SecretStr("x"), tls="none"))
    with pytest.raises(MissingSetting, match="KIJKO_MAIL_PASSWORD"):
        Smtp(Mail(host="smtp.example.test", user="kijko"))
    Smtp(Mail(host="127.0.0.1", user="kijko", password=SecretStr("x"), tls="none"))


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_server_that_does_not_encrypt_where_it_must_is_unavailable(tls: str) -> None:
    with serving(Taking()) as port:
        found = Smtp(Mail(host="127.0.0.1", port=port, tls=tls, timeout_s=2))  # type: ignore[arg-type]  # of the two
        with pytest.raises(MailUnavailable):
            await found.check()


async def test_a_server_that_answers_is_well(own: Sql) -> None:
    with serving(Taking()) as port:
        await Smtp(Mail(host="127.0.0.1", port=port, tls="none")).check()
    with pytest.raises(MailUnavailable, match=r"127\.0\.0\.1:1 does not answer well"):
        await Smtp(Mail(host="127.0.0.1", port=1, tls="none")).check()
    assert mail.connect(Mail()) is None
