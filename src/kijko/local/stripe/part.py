"""How the stack starts the stand-in for Stripe."""

import sys

from kijko.local import environment, probe
from kijko.local.ports import HOST
from kijko.local.process import Part
from kijko.local.site import Site


def part(site: Site) -> Part:
    """The stand-in for Stripe, its state in the home."""
    port = site.port("stripe")
    settings = environment.settings(site)
    return Part(
        name="stripe",
        title="Stripe stand-in",
        argv=(
            sys.executable,
            "-P",
            "-m",
            "kijko.local.stripe",
            str(port),
            str(site.home.folder("stripe") / "stripe.sqlite"),
        ),
        ready=lambda: probe.http_ok(port, "/health"),
        address=f"http://{HOST}:{port}",
        environ={
            **environment.inherited(site),
            "KIJKO_STRIPE_SECRET_KEY": settings["KIJKO_STRIPE_SECRET_KEY"],
            "KIJKO_STRIPE_WEBHOOK_SECRET": settings["KIJKO_STRIPE_WEBHOOK_SECRET"],
        },
        cwd=site.home.path,
    )
