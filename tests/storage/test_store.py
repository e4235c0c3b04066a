"""The store: a folder, and S3 as a server that speaks it."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kijko.clients.storage import ContentNotFound, ObjectStorage, Storage, StorageUnavailable
from kijko.setting_errors import MissingSetting, WrongSetting
from kijko.settings import Storage as StorageSettings

_ACCESS, _SECRET = "dev-only-access", "dev-only-secret-key"
_PROGRAM = "versitygw"
_MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def gateway() -> str:
    """The S3 server's program: on the path, or built from its module once."""
    found = shutil.which(_PROGRAM)
    if found is not None:
        return found
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"S3 is tested against {_PROGRAM}, which is not here, and go to build it is not either")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kijko" / "go"
    if not (home / _PROGRAM).exists():
        built = subprocess.run(
            [go, "install", _MODULE], env=os.environ | {"GOBIN": str(home)}, capture_output=True, check=False
        )
        if built.returncode != 0:
            pytest.skip(f"{_PROGRAM} could not be built: {built.stderr.decode()[-300:]}")
    return str(home / _PROGRAM)


@pytest.fixture
def s3(gateway: str, tmp_path: Path) -> Iterator[StorageSettings]:
    """An empty bucket on a server of its own."""
    (tmp_path / "s3" / "bucket").mkdir(parents=True)
    port = free_port()
    server = subprocess.Popen(
        [
            gateway,
            "--port",
            f"127.0.0.1:{port}",
            "--access",
            _ACCESS,
            "--secret",
            _SECRET,
            "posix",
            str(tmp_path / "s3"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            break
        time.sleep(0.05)
    yield StorageSettings.model_validate(
        {
            "url": "s3://bucket/some/prefix",
            "endpoint": f"http://127.0.0.1:{port}",
            "access_key_id": _ACCESS,
            "secret_access_key": _SECRET,
            "allow_http": True,
            "timeout_s": 5,
        }
    )
    server.terminate()
    server.wait(10)


# The S3 server is built where it is not there, which takes minutes.
@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.soak)])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "s3":
        return ObjectStorage(request.getfixturevalue("s3"))
    return ObjectStorage(StorageSettings(url=f"file://{tmp_path}/made%20here"))


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for each in given:
        yield each


async def whole(storage: Storage, key: str) -> bytes:
    return b"".join([piece async for piece in storage.read(key)])


async def test_what_is_kept_is_read_again_and_forgotten(storage: Storage) -> None:
    await storage.check()
    await storage.put("a/b/1", pieces(b"one ", b"two"))
    await storage.put("a/b/2", pieces())
    assert await whole(storage, "a/b/1") == b"one two"
    assert await whole(storage, "a/b/2") == b""
    await storage.put("a/b/1", pieces(b"again"))
    assert await whole(storage, "a/b/1") == b"again"
    await storage.delete(["a/b/none", "a/b/1", "a/b/2"])
    for key in ("a/b/1", "a/b/2"):
        with pytest.raises(ContentNotFound):
            await whole(storage, key)


async def test_a_large_content_goes_through_in_parts(storage: Storage) -> None:
    part = os.urandom(1_048_576)
    await storage.put("a/large", pieces(*[part] * 30))
    assert await whole(storage, "a/large") == part * 30


async def test_what_breaks_off_is_not_kept(storage: Storage) -> None:
    async def broken(mebibytes: int) -> AsyncIterator[bytes]:
        for _ in range(mebibytes):
            yield bytes(1_048_576)
        raise ConnectionResetError("the client went away")

    for mebibytes in (1, 20):
        with pytest.raises((ConnectionResetError, StorageUnavailable)):
            await storage.put("a/broken", broken(mebibytes))
        with pytest.raises(ContentNotFound):
            await whole(storage, "a/broken")


async def test_a_folder_is_its_owners_alone(tmp_path: Path) -> None:
    ObjectStorage(StorageSettings(url=f"file://{tmp_path}/private"))
    assert (tmp_path / "private").stat().st_mode & 0o077 == 0


async def test_a_store_that_does_not_answer_says_so_without_its_address() -> None:
    gone = StorageSettings.model_validate(
        {
            "url": "s3://bucket",
            "endpoint": f"http://127.0.0.1:{free_port()}",
            "access_key_id": _ACCESS,
            "secret_access_key": _SECRET,
            "allow_http": True,
            "timeout_s": 0.5,
        }
    )
    storage = ObjectStorage(gone)
    for attempt in (storage.check(), storage.put("a", pieces(b"x")), storage.delete(["a"]), whole(storage, "a")):
        with pytest.raises(StorageUnavailable) as caught:
            await attempt
        assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize("url", ["/folder", "file://host/folder", "file:///", "s3://", "https://bucket/x", "memory://"])
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="file:///folder or s3://bucket/prefix"):
        ObjectStorage(StorageSettings(url=url))


def test_a_store_needs_an_address_and_a_key_its_secret() -> None:
    with pytest.raises(MissingSetting, match="KIJKO_STORAGE_URL"):
        ObjectStorage(StorageSettings())
    with pytest.raises(MissingSetting, match="KIJKO_STORAGE_SECRET_ACCESS_KEY"):
        ObjectStorage(StorageSettings(url="s3://bucket", access_key_id=_ACCESS))


def test_an_endpoint_without_tls_has_to_be_allowed() -> None:
    plain = StorageSettings(url="s3://bucket", endpoint="http://store.internal:9000")
    with pytest.raises(WrongSetting, match=r"KIJKO_STORAGE_ENDPOINT .* KIJKO_STORAGE_ALLOW_HTTP=true"):
        ObjectStorage(plain)
    ObjectStorage(plain.model_copy(update={"allow_http": True}))
