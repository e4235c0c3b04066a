"""Zips that were made to do harm, sent as anybody may send them."""

import io
import stat
import struct
import zipfile
from collections.abc import Callable

import pytest

from tests.conftest import Person
from tests.projects.making import make_project
from tests.uploads.conftest import send, why, zipped

Make = Callable[..., Person]


def entry(name: str, mode: int = 0o644 | stat.S_IFREG) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.create_system = 3
    made.external_attr = mode << 16
    made.compress_type = zipfile.ZIP_DEFLATED
    return made


def with_flag(archive: bytes, flag: int) -> bytes:
    """The same, with a flag set for its first file, in both places where it stands."""
    made = bytearray(archive)
    made[6] |= flag
    made[made.index(b"PK\x01\x02") + 8] |= flag
    return bytes(made)


def with_size(archive: bytes, size: int) -> bytes:
    """The same, whose directory says another size of its first file unpacked."""
    made = bytearray(archive)
    at = made.index(b"PK\x01\x02") + 24
    made[at : at + 4] = struct.pack("<I", size)
    return bytes(made)


def without_name(archive: bytes) -> bytes:
    """The same, whose directory's first entry has no name: its one letter is the entry's comment."""
    made = bytearray(archive)
    at = made.index(b"PK\x01\x02") + 28
    made[at : at + 6] = struct.pack("<HHH", 0, 0, 1)
    return bytes(made)


def with_entries(archive: bytes, times: int) -> bytes:
    """The same, its directory's one entry repeated: a quine's way to be large."""
    at, end = archive.index(b"PK\x01\x02"), archive.index(b"PK\x05\x06")
    directory = archive[at:end] * times
    tail = bytearray(archive[end:])
    tail[8:12] = struct.pack("<HH", times & 0xFFFF, times & 0xFFFF)
    tail[12:16] = struct.pack("<I", len(directory))
    return archive[:at] + directory + bytes(tail)


async def test_entries_that_are_no_plain_files_are_told_one_by_one(person: Make) -> None:
    one = person()
    project = (await make_project(one))["id"]
    archive = zipped(
        (entry("good/a.txt"), b"good"),
        (entry("../../etc/cron.d/x"), b"out"),
        (entry("/etc/passwd"), b"out"),
        (entry("..\\..\\x"), b"out"),
        (entry("C:\\x"), b"out"),
        (entry("link", 0o777 | stat.S_IFLNK), b"/etc/passwd"),
        (entry("pipe", stat.S_IFIFO), b""),
        (entry("disk", stat.S_IFBLK), b""),
        (entry("new\nline"), b"x"),
        (entry("tool.txt"), b"\x7fELF" + bytes(60)),
        (entry("inner.zip"), zipped(("a", b"a"))),
    )
    answer = await send(one, project, ("all.zip", archive))
    assert [each["name"] for each in answer.json()["uploaded"]] == ["good/a.txt"]
    told = {each["name"]: each["error"] for each in answer.json()["errors"]}
    assert len(told) == len(answer.json()["errors"]) == 10
    assert "symbolic link" in told["link"]
    assert "no regular file" in told["pipe"]
    assert "no regular file" in told["disk"]
    assert "a program" in told["tool.txt"]
    assert "not unpacked" in told["inner.zip"]
    assert "control characters" in told["new\N{REPLACEMENT CHARACTER}line"]
    assert "root of a disk" in told["/etc/passwd"]
    assert "leads out" in told["../../etc/cron.d/x"]


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (zipped(("zeros", bytes(50_000_000))), "more than 100 times its size"),
        (with_size(zipped(("a", b"a" * 5000)), 2_000_000_000), "unpacks to more than"),
        (with_entries(zipped(("a", b"a")), 60_000), "more than 10,000 files"),
        (with_entries(zipped(("a", b"a" * 200)), 10_001), "more than 10,000 files"),
        (b"PK\x03\x04" + bytes(200), "damaged"),
        (zipped(("a", b"a" * 50))[:-30], "damaged"),
    ],
    ids=["ratio", "total", "many entries", "one too many", "no directory", "cut off"],
)
async def test_a_bomb_is_refused_before_any_of_it_is_unpacked(person: Make, archive: bytes, words: str) -> None:
    one = person()
    project = (await make_project(one))["id"]
    (sentence,) = await why(one, project, ("bomb.zip", archive))
    assert words in sentence


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (with_flag(zipped(("a", b"a" * 50)), 0x1), "encrypted"),
        (without_name(zipped(("a", b"a" * 50))), "has no name"),
        (zipped(("a", b"a" * 50), method=zipfile.ZIP_LZMA), "unusual way"),
        (zipped(("a", b"a" * 50), method=zipfile.ZIP_BZIP2), "unusual way"),
        (with_size(zipped(("a", b"a" * 5000)), 100), "damaged"),
        (with_size(zipped(("a", b"a" * 5000)), 6000), "damaged"),
        (zipped(("a", b"a" * 50), method=zipfile.ZIP_STORED).replace(b"aaaaa", b"aaaab"), "damaged"),
    ],
    ids=["encrypted", "no name", "lzma", "bzip2", "says too little", "says too much", "changed"],
)
async def test_a_file_that_is_not_what_the_directory_says_is_refused(person: Make, archive: bytes, words: str) -> None:
    one = person()
    project = (await make_project(one))["id"]
    (sentence,) = await why(one, project, ("x.zip", archive))
    assert words in sentence


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (zipped(), "The zip archive is empty"),
        (zipped(("folder/", b""), ("folder/deep/", b"")), "The zip archive is empty"),
        (zipped(("./__MACOSX/a", b"x"), ("__MACOSX/b/._c", b"x")), "The zip archive has only what macOS adds"),
    ],
    ids=["empty", "folders", "macOS"],
)
async def test_a_zip_without_files_is_refused_and_costs_the_others_nothing(
    person: Make, archive: bytes, words: str
) -> None:
    one = person()
    project = (await make_project(one))["id"]
    (sentence,) = await why(one, project, ("all.zip", archive))
    assert sentence.startswith(words)
    answer = await send(one, project, ("all.zip", archive), ("a.txt", b"a"))
    assert (answer.status_code, len(answer.json()["uploaded"])) == (200, 1)
    assert answer.json()["errors"] == [{"name": "all.zip", "error": sentence}]


async def test_a_large_file_that_proves_damaged_on_the_way_is_told_so(person: Make) -> None:
    one = person()
    project = (await make_project(one))["id"]
    archive = bytearray(zipped(("big.txt", b"0123456789abcdef" * 1_250_000), method=zipfile.ZIP_STORED))
    archive[19_000_000] ^= 1
    (sentence,) = await why(one, project, ("x.zip", bytes(archive)))
    assert "damaged" in sentence


async def test_names_that_are_not_marked_as_utf_8_are_read_as_such(person: Make) -> None:
    one = person()
    project = (await make_project(one))["id"]
    archive = bytearray(zipped(("Größe.txt", b"a")))
    archive = bytearray(with_flag(bytes(archive), 0))
    for at in (6, archive.index(b"PK\x01\x02") + 8):
        archive[at + 1] &= ~0x08
    answer = await send(one, project, ("x.zip", bytes(archive)))
    assert [each["name"] for each in answer.json()["uploaded"]] == ["Größe.txt"]


async def test_a_name_that_begins_where_it_stands_is_the_same_without_that(person: Make) -> None:
    one = person()
    project = (await make_project(one))["id"]
    answer = await send(one, project, ("x.zip", zipped(("./", b""), ("./a.txt", b"a"), ("./b/../c.txt", b"c"))))
    assert [each["name"] for each in answer.json()["uploaded"]] == ["a.txt"]
    assert [each["name"] for each in answer.json()["errors"]] == ["./b/../c.txt"]


async def test_ten_thousand_files_come_in_at_once(person: Make) -> None:
    one = person()
    project = (await make_project(one))["id"]
    archive = zipped(*((f"src/{number:05}.py", b"a = %d\n" % number) for number in range(10_000)))
    made = io.BytesIO(archive)
    answer = await one.http.post(
        "/files/upload", data={"projectId": project}, files={"files": ("all.zip", made)}, timeout=120
    )
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["uploaded"]) == 10_000
    print(answer.elapsed)
