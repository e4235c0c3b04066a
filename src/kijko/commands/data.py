"""`migrate`, and what else works on the database's content."""

from typing import Annotated

import typer

from kijko.commands.needed import needed
from kijko.commands.terminal import sentences, table


def migrate(
    status: Annotated[
        bool, typer.Option("--status", help="Only list the migrations and whether they are applied.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only name what would be applied.")] = False,
) -> None:
    """Apply the migrations of supabase/migrations that the database does not have yet."""
    from kijko.core import migrations
    from kijko.local.stack import migrations_folder

    url = needed("KIJKO_DATABASE_URL")
    with sentences(migrations.MigrationError):
        if status:
            rows = [(each.version, each.name, each.state) for each in migrations.status(url, migrations_folder())]
            print(table(("VERSION", "NAME", "STATE"), rows))
            return
        names = migrations.migrate(url, migrations_folder(), dry_run=dry_run)
        verb = "Would apply" if dry_run else "Applied"
        print("\n".join(f"{verb} {name}" for name in names) or "Nothing to apply: the database is up to date.")
