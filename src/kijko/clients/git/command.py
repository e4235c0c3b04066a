"""How git is started: with our settings and no others, without hooks, filters or prompts, under the system's limits."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kijko.clients.git.caps import Caps
from kijko.clients.git.checking import FORGIVEN

_OPTIONS: Final = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.bigFileThreshold=1m",  # what is larger goes through in pieces, not in memory
    "core.packedGitWindowSize=16m",
    "core.packedGitLimit=128m",
    "pack.threads=1",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.version=2",
    "fetch.fsckObjects=true",
    "fetch.unpackLimit=1",
    "fetch.writeCommitGraph=false",
    "fetch.recurseSubmodules=false",
    "fetch.uriProtocols=",
    "submodule.recurse=false",
    "transfer.bundleURI=false",
    "http.followRedirects=false",
    "http.lowSpeedLimit=100",
    "http.lowSpeedTime=60",
    "http.userAgent=git/2 Kijko",
    *(f"fetch.fsck.{each}=ignore" for each in FORGIVEN),
)
# 512-byte blocks, kibibytes, seconds. A limit of the system ends what our own watch would see too late.
_LIMITED: Final = 'ulimit -c 0 && ulimit -f "$1" && ulimit -v "$2" && ulimit -t "$3" && shift 3 && exec git "$@"'
_HELPER: Final = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$KIJKO_GIT_USERNAME" "$KIJKO_GIT_PASSWORD"; }; f'
)


@dataclass(frozen=True, slots=True)
class Credential:
    """Who reads a repository: a user name, or what the provider wants in its place, and a password or token."""

    username: str = field(repr=False)
    password: str = field(repr=False)


def command(
    caps: Caps, arguments: Sequence[str], *, options: Sequence[str] = (), folder: Path | None = None
) -> list[str]:
    """The program and its arguments; nothing secret may be in them.

    Args:
        caps: the caps.
        arguments: git's command with what belongs to it.
        options: further `name=value` settings.
        folder: the bare repository.
    """
    given = [part for option in (*_OPTIONS, *options) for part in ("-c", option)]
    place = [f"--git-dir={folder}"] if folder is not None else []
    blocks, kibibytes = caps.max_bytes * 11 // 10 // 512, caps.memory_bytes // 1024
    limits = [str(blocks), str(kibibytes), str(int(caps.fetch_s) + 1)]
    return ["/bin/sh", "-c", _LIMITED, "git", *limits, "--no-replace-objects", *place, *given, *arguments]


def environment(*, protocols: str = "", credential: Credential | None = None) -> Mapping[str, str]:
    """Git's whole environment: nothing of ours but the search path.

    Args:
        protocols: those it may speak, separated by colons; none by default.
        credential: for the helper that `helper` names.
    """
    clean = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_ALLOW_PROTOCOL": protocols or "none",
        "GIT_ASKPASS": "/bin/false",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }
    if credential is not None:
        clean |= {"KIJKO_GIT_USERNAME": credential.username, "KIJKO_GIT_PASSWORD": credential.password}
    return clean


def helper(credential: Credential | None) -> list[str]:
    """The settings by which git asks for the credential: a helper that reads it from its environment."""
    return ["credential.helper="] + ([f"credential.helper={_HELPER}"] if credential is not None else [])
