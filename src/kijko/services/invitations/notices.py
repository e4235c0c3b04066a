"""What a colleague is told who was added to a project, in English and Dutch. Pure: no input, no output."""

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Final
from uuid import UUID

from kijko.services.invitations import paper
from kijko.services.invitations.paper import Language, one_line


@dataclass(frozen=True, slots=True)
class Words:
    """One language's sentences."""

    subject: str
    said: str
    wrote: str
    open: str
    button: str
    ignore: str
    somebody: str


_WORDS: Final[dict[Language, Words]] = {
    "en": Words(
        subject="{adder} added you to {project}",
        said="{adder} added you to the project {project} of {organization} in Kijko.",
        wrote="{adder} wrote:",
        open="Open the project here:",
        button="Open the project",
        ignore="You have this mail because you are a member of {organization}. You may leave the project at any time.",
        somebody="Somebody",
    ),
    "nl": Words(
        subject="{adder} heeft je toegevoegd aan {project}",
        said="{adder} heeft je in Kijko toegevoegd aan het project {project} van {organization}.",
        wrote="{adder} schreef:",
        open="Open het project hier:",
        button="Project openen",
        ignore="Je krijgt deze mail omdat je lid bent van {organization}. Je kunt het project altijd verlaten.",
        somebody="Iemand",
    ),
}


@dataclass(frozen=True, slots=True)
class Added:
    """What a mail tells of."""

    mail_id: UUID
    email: str
    language: Language
    adder: str
    organization: str
    project: str
    message: str | None


def written(about: Added, link: str, sender: str, now: datetime) -> EmailMessage:
    """The whole mail: plain text and HTML, with the link to the project."""
    words = _WORDS[about.language]
    names = {
        "adder": one_line(about.adder) or words.somebody,
        "organization": one_line(about.organization),
        "project": one_line(about.project),
    }
    content = paper.Content(
        language=about.language,
        subject=words.subject.format(**names),
        said=words.said.format(**names),
        wrote=words.wrote.format(**names),
        message=about.message,
        open=words.open,
        link=link,
        button=words.button,
        valid=None,
        ignore=words.ignore.format(**names),
    )
    return paper.mail(about.mail_id, about.email, sender, now, content)
