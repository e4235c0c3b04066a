"""KIJKO_HOME: where one local stack keeps its data, secrets, logs and the note of what runs."""

import fcntl
import json
import os
import secrets as random
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from kijko.local.errors import StackError


@dataclass
class Running:
    """A process of the stack. `started` (seconds since the epoch) tells it from a later one of the same id."""

    pid: int
    started: float
    address: str = ""
    restarts: int = 0
    ready: bool = False
    """Whether it has answered since."""


@dataclass
class State:
    """What a stack remembers between starts and tells other shells."""

    id: str = field(default_factory=lambda: random.token_hex(6))
    ports: dict[str, int] = field(default_factory=dict)
    parts: dict[str, Running] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    """The parts of this stack, in the order of their start."""
    outside: list[str] = field(default_factory=list)
    """Those of them that somebody else runs."""
    environment: dict[str, str] = field(default_factory=dict)
    """Settings the running stack took from its own environment, for `status` in another shell."""
    supervisor: Running | None = None
    ready: bool = False
    """Whether the start has come to its end: every part has answered, the database is migrated."""
    seeded: bool = False
    """Whether the demo user was made."""
    realm: str = ""
    """Fingerprint of the realm's settings that depend on ports, as Keycloak last got them."""


def _token() -> str:
    return random.token_urlsafe(24)


@dataclass(frozen=True)
class Secrets:
    """Every password of one local stack, made at its first start. They open nothing outside this machine."""

    postgres_admin: str = field(default_factory=_token)
    postgres_owner: str = field(default_factory=_token)
    postgres_api: str = field(default_factory=_token)
    postgres_worker: str = field(default_factory=_token)
    postgres_keycloak: str = field(default_factory=_token)
    redis: str = field(default_factory=_token)
    keycloak_admin: str = field(default_factory=_token)
    keycloak_client: str = field(default_factory=_token)
    stripe_key: str = field(default_factory=lambda: "sk_test_devonly" + random.token_hex(16))
    stripe_webhook: str = field(default_factory=lambda: "whsec_devonly" + random.token_hex(16))
    encryption_key: str = field(default_factory=lambda: urlsafe_b64encode(random.token_bytes(32)).decode())
    master_key: str = field(default_factory=lambda: urlsafe_b64encode(random.token_bytes(32)).decode())


class Home:
    """The folder of one stack. Made on first use; readable by its owner alone (root's may be walked through)."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """The home that KIJKO_HOME names, else `.kijko` here."""
        return cls(Path(environ.get("KIJKO_HOME") or ".kijko"))

    def make(self) -> None:
        """Create the folder and its logs.

        Raises:
            StackError: it cannot be made.
        """
        mode = 0o711 if os.getuid() == 0 else 0o700  # root's Postgres runs as another user
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(mode)
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            message = f"{self.path} cannot be used ({error.strerror}). Point KIJKO_HOME at a folder you may write to."
            raise StackError(message) from error

    @property
    def logs(self) -> Path:
        """The folder of the parts' log files."""
        return self.path / "logs"

    def log(self, name: str) -> Path:
        """A part's log file."""
        return self.logs / f"{name}.log"

    def folder(self, name: str) -> Path:
        """A part's own folder, made when it is not there."""
        path = self.path / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def read(self) -> State:
        """What the last or running stack noted; a fresh state when there is none."""
        try:
            raw: dict[str, Any] = json.loads((self.path / "state.json").read_text())  # our own file's JSON
        except FileNotFoundError:
            return State()
        except ValueError as error:
            message = f"{self.path / 'state.json'} is damaged ({error}). Delete it; ports are then chosen anew."
            raise StackError(message) from error
        state = State(**{each.name: raw[each.name] for each in fields(State) if each.name in raw})
        state.parts = {name: Running(**each) for name, each in raw.get("parts", {}).items()}
        state.supervisor = Running(**raw["supervisor"]) if raw.get("supervisor") else None
        return state

    def write(self, state: State) -> None:
        """Replace the note, at once for every reader."""
        self._replace("state.json", asdict(state))

    def secrets(self) -> Secrets:
        """This stack's secrets, made and kept on the first call; one that is missing is added."""
        path = self.path / "secrets.json"
        kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        known = {each.name for each in fields(Secrets)}
        secrets = Secrets(**{name: value for name, value in kept.items() if name in known})
        if known - kept.keys():
            self._replace("secrets.json", asdict(secrets))
        return secrets

    def lock(self) -> "HomeLock":
        """Hold the home for one stack; two would write into one database."""
        return HomeLock(self.path / "lock")

    def _replace(self, name: str, content: dict[str, Any]) -> None:
        temporary = self.path / f".{name}.{os.getpid()}"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(content, file, indent=1)
        temporary.replace(self.path / name)


class HomeLock:
    """A lock that ends with its process, however that ends."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")

    def take(self) -> bool:
        """True when it is ours from now on; False when another process has it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Give it back."""
        self._file.close()
