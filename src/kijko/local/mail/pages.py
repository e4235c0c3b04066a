"""The pages on which a person reads what was caught."""

from collections.abc import Iterable
from html import escape

from kijko.local.mail.store import Mail

_FRAME = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>
body{{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{width:100%;border-collapse:collapse}}td,th{{text-align:left;padding:.4rem;border-bottom:1px solid #ddd}}
pre{{white-space:pre-wrap;background:#f6f6f6;padding:1rem}}iframe{{width:100%;height:32rem;border:1px solid #ddd}}
</style><h1>{title}</h1>{body}</html>"""


def index(mails: Iterable[Mail]) -> str:
    """All mails, newest first."""
    rows = "".join(
        f"<tr><td>{escape(mail.received[:19])}</td><td>{escape(mail.to)}</td>"
        f'<td><a href="/view/{mail.id}">{escape(mail.subject) or "(no subject)"}</a></td></tr>'
        for mail in reversed(list(mails))
    )
    table = f"<table><tr><th>Received (UTC)</th><th>To</th><th>Subject</th></tr>{rows}</table>"
    body = table if rows else "<p>No mail yet. Whatever Kijko sends on this machine appears here.</p>"
    return _FRAME.format(title="Caught mail", body=body)


def view(mail: Mail) -> str:
    """One mail: its HTML in a frame that may run nothing, and its text with links to follow."""
    frame = (
        f'<iframe sandbox="allow-popups allow-top-navigation-by-user-activation" srcdoc="{escape(mail.html)}"></iframe>'
    )
    head = f'<p><a href="/">All mail</a> · from {escape(mail.sender)} to {escape(mail.to)}</p>'
    body = head + (frame if mail.html else "") + f"<pre>{_linked(mail.text)}</pre>"
    return _FRAME.format(title=escape(mail.subject) or "(no subject)", body=body)


def _linked(text: str) -> str:
    return " ".join(
        f'<a href="{escape(word)}">{escape(word)}</a>' if word.startswith(("http://", "https://")) else escape(word)
        for word in text.split(" ")
    )
