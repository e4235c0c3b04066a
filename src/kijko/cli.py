"""The command `kijko`: starts and looks after the local stack, migrates, seeds, and does an operator's work."""

import os
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from dotenv import load_dotenv

from kijko.commands import data, doctor, operate, parts, stack

app = typer.Typer(
    name="kijko",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"kijko {version('kijko')}")
        raise typer.Exit


@app.callback()
def kijko(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Kijko's backend on this machine: start it, look at it, mend it."""


app.command()(stack.up)
app.command()(stack.down)
app.command()(stack.status)
app.command()(parts.restart)
app.command()(parts.logs)

app.command()(doctor.doctor)
app.command()(data.migrate)
app.command()(operate.seed)
app.command()(operate.openapi)
app.command()(operate.plan)
app.command()(operate.rotate_master)


def main() -> None:
    """Read `.env` (or the file that KIJKO_ENV_FILE names; what is set already wins), then run the command."""
    load_dotenv(Path(os.environ.get("KIJKO_ENV_FILE") or ".env"), override=False)
    app()


if __name__ == "__main__":
    main()
