"""Uploads over HTTP: what is kept, what is refused, and what is left of one that broke off."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import psycopg
import pytest

from tests.conftest import Person, Shared
from tests.projects.making import hire, join, make_project, said
from tests.uploads.conftest import kept, send, why, zipped

Owner = psycopg.Connection[Any]
Make = Callable[..., Person]


def folder(stack_env: dict[str, str]) -> Path:
    return Path(unquote(urlsplit(stack_env["KIJKO_STORAGE_URL"]).path))


def contents(stack_env: dict[str, str], one: Person) -> dict[str, bytes]:
    """What the store holds for an organization, by key."""
    root = folder(stack_env)
    mine = root / str(one.organization_id)
    return {str(each.relative_to(root)): each.read_bytes() for each in mine.rglob("*") if each.is_file()}


def used(owner: Owner, one: Person) -> int:
    """Bytes that count for an organization now."""
    row = owner.execute(
        "select used from kijko.usage_of(%s) where metric = 'storage'", (one.organization_id,)
    ).fetchone()
    assert row is not None
    return int(row[0])


async def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    for _ in range(int(seconds * 10)):
        if holds():
            return
        await asyncio.sleep(0.1)
    pytest.fail("it did not come about")


async def test_files_are_kept_with_what_their_content_shows(
    person: Make, owner: Owner, stack_env: dict[str, str]
) -> None:
    one = person()
    project = (await make_project(one))["id"]
    png = b"\x89PNG\r\n\x1a\n" + bytes(20)
    files = [
        ("src/app.py", b"print('hi')\n"),
        ("Übersicht.md", "# Größe\n".encode()),
        ("logo.png", png),
        ("empty", b""),
    ]
    uploaded = await kept(one, project, *files)
    assert [(each["name"], each["size"], each["type"]) for each in uploaded] == [
        ("src/app.py", 12, "text/x-python"),
        ("Übersicht.md", 10, "text/markdown"),
        ("logo.png", 28, "image/png"),
        ("empty", 0, "text/plain"),
    ]
    rows = owner.execute(
        "select id::text, storage_key, sha256, size_bytes from uploads where project_id = %s", (project,)
    ).fetchall()
    by_id = {id_: (key, digest, size) for id_, key, digest, size in rows}
    assert by_id.keys() == {each["id"] for each in uploaded}
    store = contents(stack_env, one)
    assert len(store) == 4
    for each, (_, content) in zip(uploaded, files, strict=True):
        key, digest, size = by_id[each["id"]]
        assert key.startswith(f"{one.organization_id}/{project}/")
        assert store[key] == content
        assert (digest, size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert used(owner, one) == 50
    row = owner.execute("select count(*) from storage_deletions where organization_id = %s", (one.organization_id,))
    assert row.fetchone() == (0,)


async def test_a_file_of_the_same_name_replaces_and_a_deleted_one_gives_its_bytes_back(
    person: Make, owner: Owner, stack_env: dict[str, str]
) -> None:
    one = person()
    project = (await make_project(one))["id"]
    (first,) = await kept(one, project, ("a.txt", b"x" * 1000))
    (second,) = await kept(one, project, ("a.txt", b"y" * 300))
    assert first["id"] == second["id"]
    assert used(owner, one) == 300
    await until(lambda: list(contents(stack_env, one).values()) == [b"y" * 300])
    address = f"/projects/{project}/files/{first['id']}"
    answer = await one.http.delete(address)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert used(owner, one) == 0
    await until(lambda: contents(stack_env, one) == {})
    assert said(await one.http.delete(address)) == (404, "FILE_NOT_FOUND")
    assert said(await one.http.delete(f"/projects/{project}/files/no-id")) == (404, "FILE_NOT_FOUND")


@pytest.mark.parametrize("what", ["project", "organization"])
async def test_what_goes_with_its_project_or_organization_is_given_back_and_forgotten(
    person: Make, owner: Owner, stack_env: dict[str, str], what: str
) -> None:
    one = person()
    project = (await make_project(one))["id"]
    await kept(one, project, *((f"{number}.txt", bytes([65 + number]) * 100) for number in range(5)))
    assert used(owner, one) == 500
    if what == "project":
        assert (await one.http.delete(f"/projects/{project}")).status_code == 200
    else:
        owner.execute("delete from organizations where id = %s", (one.organization_id,))
    assert used(owner, one) == 0
    await until(lambda: contents(stack_env, one) == {})


async def test_the_project_may_be_named_after_the_files(person: Make, owner: Owner) -> None:
    one = person()
    project = (await make_project(one))["id"]
    body = (
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nhello\r\n'
        b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nnobody asked\r\n'
        b'--b\r\nContent-Disposition: form-data; name="projectId"\r\n\r\n' + project.encode() + b"\r\n--b--\r\n"
    )
    answer = await one.http.post(
        "/files/upload", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert answer.status_code == 200, answer.text
    assert [each["name"] for each in answer.json()["uploaded"]] == ["a.txt"]
    assert used(owner, one) == 5


async def test_who_may_not_change_the_sources_uploads_and_deletes_nothing(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss, stranger = person(), person()
    project = await make_project(boss, privacy="shared")
    (file,) = await kept(boss, project["id"], ("a.txt", b"a"))
    address = f"/projects/{project['id']}/files/{file['id']}"
    assert said(await send(stranger, project["id"], ("b.txt", b"b"))) == (404, "PROJECT_NOT_FOUND")
    assert said(await stranger.http.delete(address)) == (404, "PROJECT_NOT_FOUND")
    for role, allowed in (("viewer", False), ("auditor", False), ("developer", True), ("manager", True)):
        member = hire(owner, shared, boss, person())
        join(owner, project, member, role)
        answer = await send(member, project["id"], (f"{role}.txt", b"b"))
        assert answer.status_code == (200 if allowed else 403)
        if not allowed:
            assert said(answer) == (403, "FORBIDDEN")
            assert said(await member.http.delete(address)) == (403, "FORBIDDEN")
    other = (await make_project(boss))["id"]
    assert said(await boss.http.delete(f"/projects/{other}/files/{file['id']}")) == (404, "FILE_NOT_FOUND")
    assert said(await send(boss, str(uuid.uuid4()), ("b.txt", b"b"))) == (404, "PROJECT_NOT_FOUND")
    assert said(await send(boss, "no-id", ("b.txt", b"b"))) == (404, "PROJECT_NOT_FOUND")


async def test_a_form_that_lacks_something_is_refused(person: Make) -> None:
    one = person()
    project = (await make_project(one))["id"]
    files = [("files", ("a.txt", b"a"))]

    async def problem(**form: Any) -> tuple[int, str, str | None]:
        answer = await one.http.post("/files/upload", **form)
        return answer.status_code, answer.json()["code"], answer.json().get("field")

    assert await problem(files=files) == (422, "VALIDATION_ERROR", "projectId")
    assert await problem(files={"projectId": (None, project)}) == (422, "VALIDATION_ERROR", "files")
    assert await problem(data={"projectId": [project, project]}, files=files) == (422, "VALIDATION_ERROR", "projectId")
    assert await problem(data={"projectId": project}, files=[("other", ("a", b"a"))]) == (
        422,
        "VALIDATION_ERROR",
        "other",
    )
    nameless = [*files, ("files", (None, b"a")), ("projectId", (None, project))]
    assert await problem(files=nameless) == (422, "VALIDATION_ERROR", "files")
    assert await problem(json={"projectId": project}) == (415, "UNSUPPORTED_MEDIA_TYPE", None)
    for body in (b"", b"nothing", b"--b\r\n\r\n", b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\nhalf'):
        for kind in ("multipart/form-data; boundary=b", "multipart/form-data"):
            answer = await one.http.post("/files/upload", content=body, headers={"Content-Type": kind})
            assert said(answer) == (422, "VALIDATION_ERROR"), (body, answer.text)


async def test_what_is_wrong_with_one_file_is_told_and_the_others_are_kept(person: Make, owner: Owner) -> None:
    one = person()
    project = (await make_project(one))["id"]
    answer = await send(
        one,
        project,
        ("../out.txt", b"a"),
        ("tool.txt", b"\x7fELF\x02\x01\x01" + bytes(64)),
        ("good.txt", b"good"),
        ("good.txt", b"again"),
        ("photo.png", b"no picture"),
        ("bundle.tar.gz", b"\x1f\x8b\x08\x00" + bytes(20)),
        ("unknown.bin", bytes(range(256))),
    )
    assert answer.status_code == 200
    assert [each["name"] for each in answer.json()["uploaded"]] == ["good.txt"]
    assert [(each["name"], each["error"].split(".")[0]) for each in answer.json()["errors"]] == [
        ("../out.txt", "The name leads out of the project or through empty folders"),
        ("tool.txt", "The file is a program, and that is not taken"),
        ("good.txt", "The upload has this name twice; the first was taken"),
        ("photo.png", "The name says that this is a PNG image, but the content is not"),
        ("bundle.tar.gz", "The file is an archive other than zip, and that is not taken"),
        ("unknown.bin", "The file is neither text nor of a kind that is known"),
    ]
    assert used(owner, one) == 4


async def test_a_zip_becomes_its_files(person: Make, owner: Owner, stack_env: dict[str, str]) -> None:
    one = person()
    project = (await make_project(one))["id"]
    large = b"".join(b"%d\n" % number for number in range(400_000))
    archive = zipped(
        ("repo/", b""), ("repo/a.py", b"a = 1\n"), ("repo/data.csv", large), ("__MACOSX/repo/._a.py", b"\x00\x05")
    )
    uploaded = await kept(one, project, ("repo.zip", archive), ("b.py", b"b = 2\n"))
    assert {(each["name"], each["size"]) for each in uploaded} == {
        ("repo/a.py", 6),
        ("repo/data.csv", len(large)),
        ("b.py", 6),
    }
    assert used(owner, one) == 12 + len(large)
    assert sorted(contents(stack_env, one).values()) == sorted([b"a = 1\n", large, b"b = 2\n"])


async def test_an_upload_that_breaks_off_leaves_nothing(person: Make, owner: Owner, stack_env: dict[str, str]) -> None:
    one = person()
    project = (await make_project(one))["id"]
    first = (
        b'--b\r\nContent-Disposition: form-data; name="projectId"\r\n\r\n' + project.encode() + b"\r\n"
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="whole.txt"\r\n\r\nwhole\r\n'
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="half.txt"\r\n\r\n'
    )

    async def body() -> AsyncIterator[bytes]:
        yield first
        await until(lambda: contents(stack_env, one) != {})  # the first file stands in the store
        assert used(owner, one) == 5
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await one.http.post(
            "/files/upload", content=body(), headers={"Content-Type": "multipart/form-data; boundary=b"}
        )
    await until(lambda: used(owner, one) == 0)
    await until(lambda: contents(stack_env, one) == {})
    row = owner.execute("select count(*) from uploads where project_id = %s", (project,)).fetchone()
    assert row == (0,)


async def test_a_hundred_files_may_come_before_their_project_and_no_more(person: Make, owner: Owner) -> None:
    one = person()
    project = (await make_project(one))["id"]
    for count, expected in ((100, 200), (101, 422)):
        body = b"".join(
            b'--b\r\nContent-Disposition: form-data; name="files"; filename="%d.txt"\r\n\r\nx\r\n' % number
            for number in range(count)
        )
        body += b'--b\r\nContent-Disposition: form-data; name="projectId"\r\n\r\n' + project.encode() + b"\r\n--b--\r\n"
        answer = await one.http.post(
            "/files/upload", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"}
        )
        assert answer.status_code == expected, answer.text
        if expected == 422:
            assert answer.json()["field"] == "projectId"
    assert used(owner, one) == 100


@pytest.mark.parametrize("field", [b'name="files"; filename="more.txt"', b'name="note"'])
async def test_a_project_that_goes_during_an_upload_is_not_found_at_its_end(
    person: Make, owner: Owner, stack_env: dict[str, str], field: bytes
) -> None:
    one = person()
    project = (await make_project(one))["id"]
    part = b"--b\r\nContent-Disposition: form-data; %s\r\n\r\n"
    first = part % b'name="projectId"' + project.encode() + b"\r\n"
    first += part % b'name="files"; filename="first.txt"' + b"first\r\n" + part % field

    async def body() -> AsyncIterator[bytes]:
        yield first
        await until(lambda: contents(stack_env, one) != {})  # the first file stands in the store
        assert (await one.http.delete(f"/projects/{project}")).status_code == 200
        yield b"more\r\n--b--\r\n"

    answer = await one.http.post(
        "/files/upload", content=body(), headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert said(answer) == (404, "PROJECT_NOT_FOUND")
    await until(lambda: used(owner, one) == 0)


async def test_what_a_killed_process_left_is_swept_after_its_hour(
    person: Make, owner: Owner, stack_env: dict[str, str]
) -> None:
    one = person()
    project = (await make_project(one))["id"]
    content = uuid.uuid4()
    key = f"{one.organization_id}/{project}/{content}"
    with owner.transaction():
        owner.execute("select kijko.reserve_for(%s, 'storage', 7, %s, %s)", (one.organization_id, content, one.id))
        owner.execute(
            "insert into storage_deletions (content_id, organization_id, storage_key, size_bytes, due_at) "
            "values (%s, %s, %s, 7, now() + interval '1 hour')",
            (content, one.organization_id, key),
        )
    path = folder(stack_env) / key
    path.parent.mkdir(parents=True)
    path.write_bytes(b"content")
    await asyncio.sleep(3)
    assert path.exists()
    assert used(owner, one) == 7
    owner.execute("update storage_deletions set due_at = now() where content_id = %s", (content,))
    await until(lambda: not path.exists())
    await until(lambda: used(owner, one) == 0)


async def test_an_ended_session_is_told_before_anything_is_taken(person: Make, api: httpx.AsyncClient) -> None:
    answer = await api.post("/api/files/upload", files={"files": ("a.txt", b"a")})
    assert said(answer) == (401, "UNAUTHENTICATED")
    answer = await person().http.post(
        "/files/upload", files={"files": ("a.txt", b"a")}, headers={"X-Organization-Id": str(uuid.uuid4())}
    )
    assert said(answer) == (404, "ORGANIZATION_NOT_FOUND")


async def test_names_are_no_way_out(person: Make, stack_env: dict[str, str]) -> None:
    one = person()
    project = (await make_project(one))["id"]
    bad = ["/etc/passwd", "a/../../b", "..", "a//b", "C:/x", "a\\..\\b", "a\u202etxt.exe", "x" * 1001, "y" * 256]
    assert len(await why(one, project, *((name, b"a") for name in bad))) == len(bad)
    uploaded = await kept(one, project, ("e\u0301.txt", b"a"), ("dir\\file.txt", b"a"))
    assert [each["name"] for each in uploaded] == ["é.txt", "dir/file.txt"]
    assert all(len(Path(key).parts) == 3 for key in contents(stack_env, one))
