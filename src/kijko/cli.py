"""The command `kijko`: starts and looks after the local stack, migrates, seeds, and does an operator's work."""

import os
from pathlib import Path

import typer
from dotenv import load_dotenv

from kijko.commands import data, doctor, operate, stack

app = typer.Typer(
    name="kijko",
    help="Kijko's backend on this machine: start it, look at it, mend it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(stack.up)
app.command()(stack.down)
app.command()(stack.status)

app.command()(doctor.doctor)
app.command()(data.migrate)
app.command()(operate.seed)
app.command()(operate.openapi)
app.command()(operate.plan)


def main() -> None:
    """Read `.env` (or the file that KIJKO_ENV_FILE names; what is set already wins), then run the command."""
    load_dotenv(Path(os.environ.get("KIJKO_ENV_FILE") or ".env"), override=False)
    app()


if __name__ == "__main__":
    main()
