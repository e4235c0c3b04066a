"""What one upload may bring, by the settings; and how much memory it takes."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from tests.conftest import Person
from tests.projects.making import make_project, said
from tests.spine.conftest import Served
from tests.uploads.conftest import send, zipped

Make = Callable[..., Person]
Serve = Callable[..., Served]

_MIB = 1_048_576


def at(one: Person, served: Served) -> Person:
    """The same person, asking another API."""
    one.http.base_url = httpx.URL(served.url + "/api")
    return one


async def test_what_is_more_than_the_settings_allow_is_refused(person: Make, serve: Serve) -> None:
    one = at(
        person(),
        serve(
            KIJKO_STORAGE_MAX_FILE_BYTES="1000",
            KIJKO_STORAGE_MAX_FILES="3",
            KIJKO_STORAGE_MAX_ZIP_FILES="4",
            KIJKO_STORAGE_MAX_ZIP_BYTES="2000",
            KIJKO_STORAGE_MAX_REQUEST_BYTES="100000",
        ),
    )
    project = (await make_project(one))["id"]
    answer = await send(one, project, ("a.txt", b"x" * 1000), ("b.txt", b"x" * 1001), ("c.txt", b"x"))
    assert [each["name"] for each in answer.json()["uploaded"]] == ["a.txt", "c.txt"]
    assert "larger than the 1,000 bytes" in answer.json()["errors"][0]["error"]

    answer = await send(one, project, *((f"{number}.txt", b"x") for number in range(4)))
    assert (said(answer), answer.json()["field"]) == ((422, "VALIDATION_ERROR"), "files")

    answer = await send(one, project, ("x.zip", zipped(("big", b"x" * 1001), ("small", b"x"))))
    assert [each["name"] for each in answer.json()["uploaded"]] == ["small"]
    assert "larger than the 1,000 bytes" in answer.json()["errors"][0]["error"]

    # Together, the archives of one upload may bring what one may.
    for name, size in (("n", 1), ("s", 600)):
        first, second = (
            zipped(*((f"{which}{name}{number}", b"x" * size) for number in range(3))) for which in ("a", "b")
        )
        answer = await send(one, project, ("first.zip", first), ("second.zip", second))
        assert len(answer.json()["uploaded"]) == 3
        (error,) = answer.json()["errors"]
        assert error["name"] == "second.zip"
        assert "Send" in error["error"]

    answer = await send(one, project, ("a.txt", b"x" * 200_000))
    assert said(answer) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_store_that_is_gone_says_so_and_nothing_counts(
    person: Make, serve: Serve, owner: psycopg.Connection[Any], nobody_listens: int
) -> None:
    one = at(
        person(),
        serve(
            KIJKO_STORAGE_URL="s3://bucket",
            KIJKO_STORAGE_ENDPOINT=f"http://127.0.0.1:{nobody_listens}",
            KIJKO_STORAGE_ALLOW_HTTP="true",
            KIJKO_STORAGE_ACCESS_KEY_ID="dev-only",
            KIJKO_STORAGE_SECRET_ACCESS_KEY="dev-only",
            KIJKO_STORAGE_TIMEOUT_S="0.5",
        ),
    )
    project = (await make_project(one))["id"]
    assert said(await send(one, project, ("a.txt", b"x"))) == (503, "UNAVAILABLE")
    row = owner.execute("select used from kijko.usage_of(%s) where metric = 'storage'", (one.organization_id,))
    assert row.fetchone() == (0,)
    health = (await one.http.get("/../health")).json()
    assert health["status"] == "degraded"
    assert health["checks"]["storage"]["status"] != "healthy"


class Slow:
    """An upload that has begun: the server has asked for its form, which has not ended."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    form: bytes

    @classmethod
    async def begin(cls, one: Person, served: Served, project: str) -> "Slow":
        made = cls()
        made.reader, made.writer = await asyncio.open_connection("127.0.0.1", httpx.URL(served.url).port)
        made.form = (
            f'--x\r\nContent-Disposition: form-data; name="projectId"\r\n\r\n{project}\r\n'
            '--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
            "begun and ended\r\n--x--\r\n"
        ).encode()
        made.writer.write(
            b"POST /api/files/upload HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nConnection: close\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n"
            + f"Content-Length: {len(made.form)}\r\nAuthorization: Bearer {one.token}\r\n\r\n".encode()
        )
        assert await made.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        made.writer.write(made.form[:-20])
        return made

    async def end(self) -> bytes:
        """Sends the rest; answers the answer."""
        self.writer.write(self.form[-20:])
        return await self.answer()

    async def answer(self) -> bytes:
        async with asyncio.timeout(30):
            answer = await self.reader.read()
        self.writer.close()
        return answer


async def test_a_person_has_so_many_uploads_under_way_and_no_more(person: Make, serve: Serve) -> None:
    served = serve(KIJKO_STORAGE_MAX_AT_ONCE="2")
    one, other = at(person(), served), at(person(), served)
    project, others = [(await make_project(each))["id"] for each in (one, other)]
    running = [await Slow.begin(one, served, project) for _ in range(2)]
    refused = await send(one, project, ("b.txt", b"x"))
    assert said(refused) == (429, "RATE_LIMITED")
    assert refused.headers["retry-after"] == "5"
    assert refused.json()["details"] == {"metric": "uploads_at_once", "limit": 2, "used": 2, "resetsAt": None}
    assert (await send(other, others, ("b.txt", b"x"))).status_code == 200
    for each in running:
        assert (await each.end()).startswith(b"HTTP/1.1 200 ")
    assert (await send(one, project, ("c.txt", b"x"))).status_code == 200


async def test_an_upload_of_which_nothing_more_comes_is_broken_off_and_nothing_of_it_is_kept(
    person: Make, serve: Serve, owner: psycopg.Connection[Any]
) -> None:
    served = serve(KIJKO_STORAGE_IDLE_S="0.3")
    one = at(person(), served)
    answer = await (await Slow.begin(one, served, (await make_project(one))["id"])).answer()
    assert answer.startswith(b"HTTP/1.1 422 ")
    assert b"Nothing more came" in answer
    row = owner.execute("select used from kijko.usage_of(%s) where metric = 'storage'", (one.organization_id,))
    assert row.fetchone() == (0,)


async def test_a_folder_for_what_comes_in_that_is_not_there_is_a_503(person: Make, serve: Serve) -> None:
    one = at(person(), serve(KIJKO_STORAGE_SPOOL="/nowhere/at/all"))
    project = (await make_project(one))["id"]
    assert said(await send(one, project, ("a.txt", b"x"))) == (503, "UNAVAILABLE")


@pytest.mark.parametrize("kind", ["plain", "zip"])
async def test_memory_stays_flat_while_a_hundred_megabytes_come_in(
    person: Make, serve: Serve, owner: psycopg.Connection[Any], kind: str
) -> None:
    served = serve()
    one = at(person(), served)
    project = (await make_project(one))["id"]
    line = b"".join(b"%08d\n" % number for number in range(_MIB // 9))
    plain = line * (100 * _MIB // len(line))
    sent = plain if kind == "plain" else zipped(*((f"{number}.txt", plain[: 50 * _MIB]) for number in range(4)))
    await send(one, project, ("warm.txt", b"x" * 9 * _MIB))
    process = psutil.Process(served.process.pid)
    before, peak = process.memory_info().rss, 0
    done = asyncio.Event()

    async def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, process.memory_info().rss)
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    answer = await send(one, project, ("a.txt" if kind == "plain" else "a.zip", sent))
    done.set()
    await watching
    assert answer.status_code == 200, answer.text
    assert sum(each["size"] for each in answer.json()["uploaded"]) >= 100 * _MIB - len(line)
    grown = (peak - before) / _MIB
    print(f"{kind}: from {before / _MIB:.0f} MiB by {grown:.1f} MiB in {answer.elapsed.total_seconds():.2f} s")
    assert grown < 50
    if kind == "plain":
        row = owner.execute(
            "select sha256 from uploads where project_id = %s and name = 'a.txt'", (project,)
        ).fetchone()
        assert row == (hashlib.sha256(plain).hexdigest(),)
