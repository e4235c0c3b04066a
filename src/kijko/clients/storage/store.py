"""The store by `obstore`, for every kind of address."""

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from obstore import exceptions
from obstore.store import LocalStore, S3Store

from kijko.clients.storage.errors import ContentNotFound, StorageUnavailable
from kijko.setting_errors import WrongSetting
from kijko.settings import Storage as StorageSettings
from kijko.settings import required

if TYPE_CHECKING:
    from obstore.store import S3Config

log = logging.getLogger(__name__)

_PART: Final = 8 * 1_048_576
_PARTS_AT_ONCE: Final = 2
_CHECKED: Final = ".kijko"
_NO_TLS: Final = (
    "KIJKO_STORAGE_ENDPOINT is an address without TLS; it has to begin with https://. Where the way to it is safe, set"
    " KIJKO_STORAGE_ALLOW_HTTP=true."
)


class ObjectStorage:
    """The store that KIJKO_STORAGE_URL names: `file:///folder` or `s3://bucket/prefix`."""

    def __init__(self, settings: StorageSettings) -> None:
        """Nothing is connected before the first call; a folder is made.

        Raises:
            MissingSetting: KIJKO_STORAGE_URL is not set, or a key has no secret. ValueError: it is of no known kind.
            WrongSetting: the endpoint speaks no TLS, and that is not allowed.
        """
        self._store = _open(required(settings.url, "KIJKO_STORAGE_URL"), settings)

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Keep a content; a small one in one request, a larger one in parts of 8 MiB."""
        first = bytearray()
        async for chunk in chunks:
            first += chunk
            if len(first) > _PART:
                break
        with _translated("put"):
            if len(first) <= _PART:
                await self._store.put_async(key, bytes(first), use_multipart=False)
            else:
                parts = _parts(first, chunks)
                await self._store.put_async(key, parts, chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """A content in pieces."""
        with _translated("read"):
            found = await self._store.get_async(key)
            async for piece in found.stream(min_chunk_size=1_048_576):
                yield bytes(piece)

    async def delete(self, keys: Sequence[str]) -> None:
        """Forget contents."""
        for key in keys:  # one by one: in a list, the first that is gone already would hide the rest
            try:
                with _translated("delete"):
                    await self._store.delete_async(key)
            except ContentNotFound:
                continue

    async def check(self) -> None:
        """Return when the store answers, that it has no such content for instance."""
        try:
            with _translated("check"):
                await self._store.head_async(_CHECKED)
        except ContentNotFound:
            return


def _open(url: str, settings: StorageSettings) -> LocalStore | S3Store:
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc and len(parts.path) > 1:
        folder = Path(unquote(parts.path))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LocalStore(folder, automatic_cleanup=True)
    if parts.scheme == "s3" and parts.netloc:
        return S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            config=_s3(settings),
            client_options={"timeout": timedelta(seconds=settings.timeout_s), "allow_http": settings.allow_http},
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=settings.timeout_s)},
        )
    raise ValueError("KIJKO_STORAGE_URL has to be file:///folder or s3://bucket/prefix.")


def _s3(settings: StorageSettings) -> "S3Config":
    config: S3Config = {"region": settings.region}
    if settings.endpoint is not None:
        if settings.endpoint.startswith("http://") and not settings.allow_http:  # the library says "builder error"
            raise WrongSetting([_NO_TLS])
        config |= {"endpoint": settings.endpoint, "virtual_hosted_style_request": False}
    if settings.access_key_id is not None:
        secret = required(settings.secret_access_key, "KIJKO_STORAGE_SECRET_ACCESS_KEY")
        config |= {"access_key_id": settings.access_key_id, "secret_access_key": secret}
    return config


async def _parts(first: bytearray, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield bytes(first)
    first.clear()
    async for chunk in rest:
        yield chunk


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """The store's errors as ours. Their words may name addresses: they go to the log."""
    try:
        yield
    except (exceptions.NotFoundError, FileNotFoundError):
        raise ContentNotFound from None
    except (exceptions.BaseError, OSError) as error:
        words = str(error).partition("\n")[0]  # what follows is the library's own structures
        log.warning("storage: %s failed: %s: %s", what, type(error).__name__, words[:300])
        raise StorageUnavailable from None
