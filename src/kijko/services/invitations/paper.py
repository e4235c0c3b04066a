"""What every mail of the house looks like: text and HTML with one button. Pure: no input, no output."""

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from html import escape
from typing import Final, Literal
from uuid import UUID

Language = Literal["en", "nl"]

_LONGEST_NAME: Final = 120
_HTML: Final = (
    '<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{subject}</title></head>'
    '<body style="font:16px/1.5 system-ui,sans-serif;color:#1b1b1f;max-width:36rem;margin:2rem auto;padding:0 1rem">'
    "<p>{said}</p>{quoted}"
    '<p><a href="{link}" style="display:inline-block;padding:.6rem 1.2rem;background:#3b5bdb;color:#fff;'
    'text-decoration:none;border-radius:.4rem">{button}</a></p>'
    '{valid}<p style="color:#666;font-size:13px">{ignore}<br>{link}</p></body></html>'
)


@dataclass(frozen=True, slots=True)
class Content:
    """What one mail says, in one language; `wrote` introduces `message`, which somebody wrote."""

    language: Language
    subject: str
    said: str
    wrote: str
    message: str | None
    open: str
    link: str
    button: str
    valid: str | None
    ignore: str


def mail(mail_id: UUID, to: str, sender: str, now: datetime, content: Content) -> EmailMessage:
    """The whole mail. What people wrote stands in it as text, whatever it looks like; names are one_line already."""
    quoted = _lines(content.message or "")
    message = EmailMessage()
    message["Subject"] = content.subject
    message["From"] = sender
    message["To"] = to
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{mail_id}@{parseaddr(sender)[1].rpartition('@')[2] or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"
    wrote = [content.wrote, "\n".join(f"> {line}" for line in quoted)] if quoted else []
    valid = [content.valid] if content.valid else []
    paragraphs = [content.said, *wrote, f"{content.open}\n{content.link}", *valid, content.ignore]
    message.set_content("\n\n".join(paragraphs) + "\n")
    message.add_alternative(_html(content, str(message["Subject"]), quoted), subtype="html")
    return message


def one_line(text: str) -> str:
    """A name as it may stand in a header: one line, of what can be shown, not endless, and nothing in code.

    `=?` would begin a word in code, which email reads when a header is set: line ends may stand in it, and so headers.
    """
    shown = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(shown.split()).replace("=?", "= ?")[:_LONGEST_NAME]


def _html(content: Content, subject: str, quoted: list[str]) -> str:
    wrote = f"<p>{escape(content.wrote)}</p><blockquote>{'<br>'.join(map(escape, quoted))}</blockquote>"
    return _HTML.format(
        language=content.language,
        subject=escape(subject),
        said=escape(content.said),
        quoted=wrote if quoted else "",
        link=escape(content.link),
        button=escape(content.button),
        valid=f"<p>{escape(content.valid)}</p>" if content.valid else "",
        ignore=escape(content.ignore),
    )


def _lines(text: str) -> list[str]:
    lines = ["".join(each for each in line if each.isprintable()) for line in text.strip().splitlines()]
    return lines if any(lines) else []
