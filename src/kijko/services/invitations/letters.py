"""What a mail of an invitation says, in English and Dutch. Pure: no input, no output."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Final
from uuid import UUID

from kijko.services.invitations import paper
from kijko.services.invitations.paper import Language, one_line

_MONTHS: Final[dict[Language, tuple[str, ...]]] = {
    "en": (
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ),
    "nl": (
        "januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober", "november",
        "december",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Words:
    """One language's sentences."""

    subject: str
    asked_project: str
    asked_organization: str
    wrote: str
    open: str
    button: str
    valid: str
    ignore: str
    date: str
    somebody: str


_WORDS: Final[dict[Language, Words]] = {
    "en": Words(
        subject="{inviter} invites you to {place}",
        asked_project="{inviter} invites you to work on the project {place} of {organization} in Kijko.",
        asked_organization="{inviter} invites you to join {place} in Kijko.",
        wrote="{inviter} wrote:",
        open="Accept the invitation here; if you have no account yet, you can make one on the way:",
        button="Accept the invitation",
        valid="The link works until {date}, for {email} alone.",
        ignore="You did not expect this? Then ignore this mail: nothing happens without you.",
        date="{month} {day}, {year}, {time} UTC",
        somebody="Somebody",
    ),
    "nl": Words(
        subject="{inviter} nodigt je uit voor {place}",
        asked_project="{inviter} nodigt je uit om in Kijko mee te werken aan het project {place} van {organization}.",
        asked_organization="{inviter} nodigt je uit om je in Kijko bij {place} aan te sluiten.",
        wrote="{inviter} schreef:",
        open="Neem de uitnodiging hier aan; heb je nog geen account, dan maak je er onderweg een:",
        button="Uitnodiging aannemen",
        valid="De link werkt tot {date}, alleen voor {email}.",
        ignore="Verwachtte je dit niet? Doe dan niets: zonder jou gebeurt er niets.",
        date="{day} {month} {year}, {time} UTC",
        somebody="Iemand",
    ),
}


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a mail tells of."""

    mail_id: UUID
    email: str
    language: Language
    inviter: str
    organization: str
    project: str | None
    message: str | None
    expires_at: datetime


def preferred(accept_language: str | None, otherwise: Language) -> Language:
    """English or Dutch, whichever a browser's Accept-Language wants more; `otherwise` where it names neither."""
    best: tuple[float, Language] = (0.0, otherwise)
    for entry in (accept_language or "")[:1000].split(","):
        tag, _, weight = entry.strip().partition(";q=")
        wanted = _weight(weight)
        for language in ("en", "nl"):
            if tag.lower().partition("-")[0] == language and wanted > best[0]:
                best = (wanted, language)
    return best[1]


def written(about: Invitation, link: str, sender: str, now: datetime) -> EmailMessage:
    """The whole mail: plain text and HTML. What people wrote stands in it as text, whatever it looks like."""
    words = _WORDS[about.language]
    inviter = one_line(about.inviter) or words.somebody
    organization = one_line(about.organization)
    names = {"inviter": inviter, "organization": organization, "place": one_line(about.project or about.organization)}
    content = paper.Content(
        language=about.language,
        subject=words.subject.format(**names),
        said=(words.asked_project if about.project else words.asked_organization).format(**names),
        wrote=words.wrote.format(**names),
        message=about.message,
        open=words.open,
        link=link,
        button=words.button,
        valid=words.valid.format(date=_date(about.expires_at, about.language), email=about.email),
        ignore=words.ignore,
    )
    return paper.mail(about.mail_id, about.email, sender, now, content)


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0


def _date(instant: datetime, language: Language) -> str:
    at = instant.astimezone(UTC)
    month = _MONTHS[language][at.month - 1]
    return _WORDS[language].date.format(month=month, day=at.day, year=at.year, time=f"{at:%H:%M}")
