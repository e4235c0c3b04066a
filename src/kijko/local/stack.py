"""One local stack: starts its parts in order, keeps them running, stops them in order.

From a script or a test, only what is needed:

    stack = Stack(Path("/tmp/some-home"), parts=("postgres", "redis"))
    stack.start()                      # returns when all answer; StackError says what to do when not
    stack.environment()                # KIJKO_DATABASE_URL (owner), KIJKO_REDIS_URL, KIJKO_PID_…: a dict
    stack.database()                   # postgres.Server: .url("kijko_api"), .url() is the superuser's
    stack.stop()                       # data stays in the home; stack.remove() deletes it as well

`Stack` is a context manager too. Start it from a thread that lives as long as the stack (a child dies with the
thread that started it). Parts: postgres redis keycloak mail stripe api worker scheduler. `migrate` applies the
migrations and gives the roles of the API and the worker their logins; `seed` makes the demo user (needs Keycloak).
"""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from kijko.core import migrations
from kijko.local import environment, keycloak, postgres, preflight, process, redis, serving
from kijko.local.errors import StackError
from kijko.local.home import Home, HomeLock, Running
from kijko.local.mail import part as mail
from kijko.local.process import Part
from kijko.local.seed import seed
from kijko.local.site import Say, Site
from kijko.local.stripe import part as stripe
from kijko.local.supervisor import Supervisor

SERVERS = ("postgres", "redis", "keycloak", "mail", "stripe")
SERVING = ("api", "worker", "scheduler")
EVERYTHING = (*SERVERS, *SERVING)

_FACTORIES: Mapping[str, Callable[[Site], Part]] = {
    "postgres": postgres.part,
    "redis": redis.part,
    "keycloak": keycloak.part,
    "mail": mail.part,
    "stripe": stripe.part,
    "api": serving.api,
    "worker": serving.worker,
    "scheduler": serving.scheduler,
}


class Stack:
    """The parts of one home. Not for use from two threads."""

    def __init__(
        self,
        home: Path,
        *,
        parts: Iterable[str] = EVERYTHING,
        environ: Mapping[str, str] | None = None,
        say: Say = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._asked = tuple(parts)
        self._environ = dict(os.environ if environ is None else environ)
        self._say = say
        self._cancelled = cancelled
        self._lock: HomeLock | None = None
        self._site: Site | None = None
        self.home = Home(home)
        self._supervisor = Supervisor(self.home, say, cancelled, self._note)

    def start(self) -> None:
        """Start every part and wait until it answers. On an error, all that was started is stopped again.

        Raises:
            StackError: what is wrong and what to do.
            Interrupted: `cancelled` said so meanwhile.
        """
        try:
            self.home.make()
            preflight.check_room(self.home)
            self._take_home()
            self._start()
        except psycopg.Error as error:
            self.stop()
            raise StackError(
                f"Postgres refuses while it is set up: {error} See {self.home.log('postgres')}."
            ) from error
        except OSError as error:
            self.stop()
            place = error.filename or self.home.path
            raise StackError(f"{place}: {error.strerror}. Make room or mend its permissions, then retry.") from error
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        site = self._open_site()
        names = self._names(site)
        if "api" in names:
            preflight.check_port(environment.api_port(self._environ))
        site.settle_ports()
        self.home.write(site.state)
        parts = {name: _FACTORIES[name](site) for name in names}
        self._launch(parts, ["postgres"])
        if "postgres" in parts:
            self._supervisor.await_ready(["postgres"])
            postgres.bootstrap(postgres.server(site))
        self._launch(parts, [name for name in SERVERS if name != "postgres"])
        if set(names) & set(SERVING):
            self.migrate()
            self._launch(parts, SERVING)  # while Keycloak still starts: they can do without it
        self._supervisor.await_ready(names)
        if "keycloak" in parts:
            keycloak.settle_realm(site)
        if {"api", "keycloak"} <= parts.keys():
            self.seed()
        site.state.ready = True
        self._keep()

    def _names(self, site: Site) -> list[str]:
        """Which of the asked parts run here. Keycloak started here keeps its data in the local Postgres."""
        outside = {name for name in self._asked if site.is_outside(name)}
        if site.is_outside("database") and not ("keycloak" in self._asked and "keycloak" not in outside):
            outside.add("postgres")
        site.state.names = [name for name in EVERYTHING if name in self._asked]
        site.state.outside = sorted(outside)
        return [name for name in site.state.names if name not in outside]

    def _launch(self, parts: Mapping[str, Part], names: Iterable[str]) -> None:
        for name in names:
            if name in parts:
                self._supervisor.launch(parts[name])

    def migrate(self) -> None:
        """Apply the migrations, then let the roles they made log in.

        Raises:
            StackError: a migration failed; with its words.
        """
        site = self._opened()
        try:
            applied = migrations.migrate(environment.settings(site)["KIJKO_DATABASE_URL"], migrations_folder())
        except migrations.MigrationError as error:
            raise StackError(f"The migrations could not be applied. {error}") from error
        for name in applied:
            self._say(f"Migration applied: {name}")
        if not site.is_outside("database"):
            postgres.give_logins(postgres.server(site))

    def seed(self) -> None:
        """Make the demo organization and user, once in a home. Nobody's outside database or Keycloak gets one.

        Raises:
            StackError: it failed; with the API's words.
        """
        site = self._opened()
        if site.state.seeded or site.is_outside("database") or site.is_outside("keycloak"):
            return
        settings = environment.settings(site)
        seed(settings["KIJKO_API_URL"], settings["KIJKO_DATABASE_URL"])
        site.state.seeded = True
        self.home.write(site.state)

    def watch(self) -> None:
        """One round of looking after the parts: what died is started again. Call it a few times a second."""
        self._supervisor.watch()

    def environment(self) -> dict[str, str]:
        """Settings, addresses and process ids, as `kijko status -o env` shows them."""
        return environment.shown(self._opened())

    @property
    def site(self) -> Site:
        """The stack's place: home, state, secrets, ports."""
        return self._opened()

    def database(self) -> postgres.Server:
        """The local Postgres with the passwords to it."""
        return postgres.server(self._opened())

    def stop(self) -> None:
        """End every part, Postgres last, within 15 s. Data stays."""
        self._supervisor.stop()
        if self._site is not None:
            self._site.state.supervisor, self._site.state.ready = None, False
            self._keep()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def remove(self) -> None:
        """Stop, and delete the home with all its data."""
        self.stop()
        if self._site is not None:
            postgres.remove_data(self._site)
        shutil.rmtree(self.home.path, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take_home(self) -> None:
        lock = self.home.lock()
        if not lock.take():
            holder = self.home.read().supervisor
            who = f" (pid {holder.pid})" if holder else ""
            advice = "Stop it with `kijko down`, or set KIJKO_HOME to another folder."
            raise StackError(f"{self.home.path} is in use by another `kijko up`{who}. {advice}")
        self._lock = lock

    def _open_site(self) -> Site:
        state = self.home.read()
        preflight.clear_leftovers(state, self._say)
        state.parts, state.ready = {}, False
        state.supervisor = process.describe(os.getpid())
        state.environment = {name: value for name, value in self._environ.items() if name.startswith("KIJKO_")}
        self._site = Site(self.home, state, self.home.secrets(), self._environ, self._say, self._cancelled)
        return self._site

    def _opened(self) -> Site:
        if self._site is None:
            raise StackError("The stack was not started.")
        return self._site

    def _note(self, parts: Mapping[str, Running]) -> None:
        if self._site is not None:
            self._site.state.parts = dict(parts)
            self._keep()

    def _keep(self) -> None:
        """Write the state down. On a full disk the stack runs on, only `status` in other shells is out of date."""
        try:
            self.home.write(self._opened().state)
        except OSError as error:
            self._say(f"{self.home.path / 'state.json'} cannot be written: {error.strerror}. Make room.")


def migrations_folder() -> Path:
    """The SQL files: below the working directory, else beside the source that this runs from."""
    below = Path("supabase") / "migrations"
    return below if below.is_dir() else Path(__file__).parents[3] / below
