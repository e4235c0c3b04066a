"""How the stack starts the mail catcher."""

import sys

from kijko.local import environment, probe
from kijko.local.ports import HOST
from kijko.local.process import Part
from kijko.local.site import Site


def part(site: Site) -> Part:
    """The mail catcher, on one port for SMTP and one for reading."""
    smtp, http = site.port("smtp"), site.port("mail")
    return Part(
        name="mail",
        title="Mail catcher",
        argv=(sys.executable, "-P", "-m", "kijko.local.mail", str(smtp), str(http)),
        ready=lambda: probe.http_ok(http, "/health"),
        address=f"http://{HOST}:{http}",
        environ=environment.inherited(site),
        cwd=site.home.path,
    )
