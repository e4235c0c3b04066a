"""What every part needs to know of one stack: its home, secrets, ports, and which parts somebody else runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kijko.local import ports
from kijko.local.errors import BadSetting
from kijko.local.home import Home, Secrets, State

Say = Callable[[str], None]

_PORTS = ("postgres", "redis", "keycloak", "keycloak-management", "smtp", "mail", "stripe")

# A part is somebody else's when one of its first settings is there; then the others must be there as well.
_OUTSIDE: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "database": (
        ("KIJKO_DATABASE_URL", "KIJKO_DATABASE_API_URL", "KIJKO_DATABASE_WORKER_URL"),
        ("KIJKO_DATABASE_URL", "KIJKO_DATABASE_API_URL", "KIJKO_DATABASE_WORKER_URL"),
    ),
    "redis": (("KIJKO_REDIS_URL",), ()),
    "keycloak": (("KIJKO_KEYCLOAK_URL",), ("KIJKO_KEYCLOAK_CLIENT_SECRET",)),
    "stripe": (("KIJKO_STRIPE_API_BASE", "KIJKO_STRIPE_SECRET_KEY"), ("KIJKO_STRIPE_SECRET_KEY",)),
    "mail": (("KIJKO_SMTP_HOST",), ()),
}


@dataclass
class Site:
    """One stack's place. `environ` is what its person set: it decides which parts are outside."""

    home: Home
    state: State
    secrets: Secrets
    environ: Mapping[str, str]
    say: Say
    cancelled: Callable[[], bool] = lambda: False
    """Whether the person asked to stop; long work asks it often."""

    def port(self, name: str) -> int:
        """The kept port of this name, chosen on the first call."""
        if name not in self.state.ports:
            self.state.ports[name] = ports.choose(set(self.state.ports.values()))
        return self.state.ports[name]

    def settle_ports(self) -> None:
        """Choose every port that has none; give up those that a stranger took meanwhile, and say so."""
        for name in _PORTS:
            old = self.port(name)
            if ports.is_free(old):
                continue
            del self.state.ports[name]
            cost = " Everybody has to sign in again: tokens name its address." if name == "keycloak" else ""
            self.say(f"Port {old} ({name}) was taken by another program; {name} moves to {self.port(name)}.{cost}")

    def is_outside(self, name: str) -> bool:
        """Whether the environment points this part at one that the stack does not run.

        Raises:
            BadSetting: it does so only in part; the text names the missing setting.
        """
        triggers, needed = _OUTSIDE.get(name, ((), ()))
        given = next((each for each in triggers if self.environ.get(each)), None)
        if given is None:
            return False
        for each in needed:
            if not self.environ.get(each):
                raise BadSetting(
                    f"{given} is set, but {each} is not. Set both, or neither: then {name} is started here."
                )
        return True
