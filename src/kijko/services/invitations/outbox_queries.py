"""The statements of the outbox, which serves every organization."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kijko.core.db import Query, Scalar, Statement
from kijko.core.tenancy import SystemReader


@dataclass(frozen=True, slots=True)
class Due:
    """A mail that is to be sent now, with what it tells of."""

    id: UUID
    email: str
    attempts: int
    kind: str
    """invitation, or added: then there is a project, and no end."""
    locale: str
    inviter: str
    organization: str
    project_id: UUID | None
    project: str | None
    message: str | None
    expires_at: datetime | None


# Those that nobody waits for any more are dropped first: accepted, taken back, or expired; the member is none
# any more, or the notice is of a week ago.
_DROP = Statement(
    """
    update mails m
    set status = 'dropped', lease_owner = null, lease_until = null
    where m.status = 'pending'
      and m.due_at <= now()
      and (m.lease_until is null or m.lease_until < now())
      and case m.kind
        when 'added' then m.member_id is null or m.created_at < now() - interval '7 days'
        else not exists (
          select from invitations i
          where i.organization_id = m.organization_id and i.id = m.invitation_id
            and i.accepted_at is null and i.expires_at > now()
        )
      end
    """
)
_CLAIM = Query(
    Due,
    """
    with claimed as (
      update mails m
      set lease_owner = $1::uuid, lease_until = now() + make_interval(secs => $2::double precision),
        attempts = m.attempts + 1
      where m.id in (
        select id
        from mails
        where status = 'pending' and due_at <= now() and (lease_until is null or lease_until < now())
        order by due_at
        limit $3::integer
        for update skip locked
      )
      returning m.id, m.organization_id, m.invitation_id, m.member_id, m.email, m.attempts, m.kind, m.locale, m.message,
        m.told_by
    )
    select c.id, c.email, c.attempts, c.kind, coalesce(i.locale, c.locale) as locale,
      coalesce(btrim(u.first_name || ' ' || u.last_name), '') as inviter, o.name as organization, p.id as project_id,
      p.name as project, coalesce(i.message, c.message) as message, i.expires_at
    from claimed c
    left join invitations i on i.organization_id = c.organization_id and i.id = c.invitation_id
    left join project_members j on j.organization_id = c.organization_id and j.id = c.member_id
    join organizations o on o.id = c.organization_id
    left join projects p on p.organization_id = c.organization_id and p.id = coalesce(i.project_id, j.project_id)
    left join users u on u.id = coalesce(i.invited_by, c.told_by)
    where case c.kind when 'added' then p.id is not null else i.id is not null end
    """,
    writes=True,
)
_LINK = Scalar(
    bool,
    """
    insert into invitation_links (token_digest, organization_id, invitation_id)
    select $3::bytea, m.organization_id, m.invitation_id
    from mails m
    join invitations i on i.organization_id = m.organization_id and i.id = m.invitation_id
    where m.id = $1::uuid and m.lease_owner = $2::uuid and m.status = 'pending' and m.lease_until > now()
      and i.accepted_at is null
    returning true
    """,
)
_SENT = Statement(
    """
    update mails
    set status = 'sent', sent_at = now(), error = null, lease_owner = null, lease_until = null
    where id = $1::uuid and lease_owner = $2::uuid and status = 'pending'
    """
)
_FAILED = Statement(
    """
    update mails
    set status = 'failed', error = $3::text, lease_owner = null, lease_until = null
    where id = $1::uuid and lease_owner = $2::uuid and status = 'pending'
    """
)
_AGAIN = Statement(
    """
    update mails
    set due_at = now() + make_interval(secs => $4::double precision), error = $3::text, lease_owner = null,
      lease_until = null
    where id = $1::uuid and lease_owner = $2::uuid and status = 'pending'
    """
)
_SWEEP_SEATS = Scalar(int, "select kijko.sweep_seats()", writes=True)
_FORGET_MAILS = Statement("delete from mails where status <> 'pending' and created_at < now() - interval '30 days'")
_FORGET_INVITATIONS = Statement("delete from invitations where accepted_at < now() - interval '30 days'")


async def claim(reader: SystemReader, owner: UUID, lease_s: float, most: int) -> list[Due]:
    """Takes what is due, under a lease; what has become void is dropped."""
    await reader.run(_DROP)
    return await reader.all(_CLAIM, owner, lease_s, most)


async def link(reader: SystemReader, mail_id: UUID, owner: UUID, digest: bytes) -> bool:
    """Makes a token good for the mail's invitation; false where the mail is no longer the caller's to send."""
    return await reader.first(_LINK, mail_id, owner, digest) is True


async def sent(reader: SystemReader, mail_id: UUID, owner: UUID) -> bool:
    """The mail server has it; whether the mail was the caller's still."""
    return await reader.run(_SENT, mail_id, owner) == 1


async def failed(reader: SystemReader, mail_id: UUID, owner: UUID, error: str) -> None:
    """It will not be sent."""
    await reader.run(_FAILED, mail_id, owner, error)


async def again(reader: SystemReader, mail_id: UUID, owner: UUID, error: str, delay_s: float) -> None:
    """It is tried again after so long."""
    await reader.run(_AGAIN, mail_id, owner, error, delay_s)


async def sweep_seats(reader: SystemReader) -> int:
    """Gives the seats of expired invitations back; how many."""
    return await reader.one(_SWEEP_SEATS)


async def forget(reader: SystemReader) -> None:
    """Deletes what has had its time: mails and accepted invitations of more than 30 days ago."""
    await reader.run(_FORGET_MAILS)
    await reader.run(_FORGET_INVITATIONS)
