"""Ingestions through the API, by the running worker, of repositories on a real git server."""

from collections.abc import Callable
from typing import Any

import psycopg

from tests.conftest import Person, Shared
from tests.ingestion.making import files, ingest, project_of, served, status, text_of

Owner = psycopg.Connection[Any]
Make = Callable[..., Person]

_APP = {
    "src/app.py": "def greet(name):\n    return name\n\n\nclass Greeter:\n    def run(self):\n        greet('x')\n",
    "src/util.js": "export function add(a, b) {\n  return a + b;\n}\n",
    "README.md": "# App\n\nGreets people.\n",
    "node_modules/left-pad/index.js": "module.exports = 1\n",
    "logo.png": b"\x89PNG\r\n\x1a\n" + bytes(100),
}


async def test_a_repository_becomes_chunks_and_the_project_active(person: Make, shared: Shared, owner: Owner) -> None:
    one, repository = person(), served(shared, _APP)
    project = await project_of(one, repository)
    assert (await one.http.get(f"/projects/{project['id']}/progress")).json() is None
    done = await ingest(one, project)
    assert (done["status"], done["errors"], done["trigger"]) == ("completed", [], "manual")
    assert done["commits"][0]["commit"] == repository.head()
    assert {each["path"] for each in done["skipped"]} == {"node_modules/left-pad/index.js", "logo.png"}
    assert all(each["reason"] for each in done["skipped"])
    assert set(files(owner, project)) == {"src/app.py", "src/util.js", "README.md"}
    assert text_of(owner, project, "src/app.py") == _APP["src/app.py"]
    now = await status(one, project)
    assert (now["status"], now["totalFiles"], now["totalRepos"]) == ("active", 3, 1)
    assert now["optimizedTokens"] > 20
    assert now["ingestionTimeSeconds"] > 0
    whole = (await one.http.get(f"/projects/{project['id']}/full")).json()
    assert whole["currentIngestion"] is None
    read = whole["repositories"][0]
    assert (read["status"], read["lastCommitHash"], read["fileCount"]) == ("connected", repository.head(), 3)
    progress = (await one.http.get(f"/projects/{project['id']}/progress")).json()
    assert (progress["phase"], progress["progressPercent"], progress["errorCode"]) == ("indexing", 100, None)
    assert progress["metrics"]["filesProcessed"] == progress["metrics"]["totalFiles"] == 3


async def found(one: Person, project: dict[str, Any], query: str) -> list[tuple[str, int, int, str]]:
    answer = await one.http.get(f"/projects/{project['id']}/search", params={"q": query})
    assert answer.status_code == 200, answer.text
    return [(each["path"], each["startLine"], each["endLine"], each["content"]) for each in answer.json()]


async def test_what_was_ingested_is_found_and_what_has_gone_is_not(person: Make, shared: Shared, owner: Owner) -> None:
    one = person()
    repository = served(
        shared, {"src/conf.py": "import os\n\n\ndef parseConfig(path):\n    return os.stat(path)\n"} | _APP
    )
    project = await project_of(one, repository)
    await ingest(one, project)
    path, start, end, content = (await found(one, project, "parse config"))[0]
    assert path == "src/conf.py"
    assert "parseConfig" in content
    lines = "import os\n\n\ndef parseConfig(path):\n    return os.stat(path)\n".splitlines(keepends=True)
    assert content in "".join(lines[start - 1 : end])
    repository.commit({"src/conf.py": "def renderTemplate():\n    return 1\n"})
    assert (await ingest(one, project, force=True))["status"] == "completed"
    assert (await found(one, project, "render template"))[0][0] == "src/conf.py"
    assert not [each for each in await found(one, project, "parse config") if "parseConfig" in each[3]]
