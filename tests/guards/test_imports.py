"""Importing the app is quick and does nothing: what is large waits until it is needed."""

import os
import subprocess
import sys

_LARGE = ("stripe", "celery", "kombu", "genai_prices.data", "anthropic", "openai", "google.genai", "fastapi_swagger")


def run(code: str) -> str:
    """What a fresh interpreter prints, with no setting of ours in its environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KIJKO_")}
    done = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_the_app_needs_no_setting_and_opens_no_connection() -> None:
    code = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(event) if event in ("socket.connect", "socket.bind") else None)
import kijko.main
print(opened)
"""
    assert run(code) == "[]"


def test_importing_the_app_does_not_import_what_is_large_and_needed_later() -> None:
    assert run(f"import sys, kijko.main; print([name for name in {_LARGE} if name in sys.modules])") == "[]"


def test_a_process_that_reads_files_has_nothing_in_its_memory_that_it_does_not_need() -> None:
    large = ("asyncio", "ssl", "pydantic", "psycopg", "httpx", "redis", "structlog", "kijko.settings")
    code = f"""
import sys, kijko.core.crew.nursery, kijko.services.ingestion.hands
kijko.services.ingestion.hands.warm()
print([name for name in {large} if name in sys.modules])
"""
    assert run(code) == "[]"


def test_every_public_name_of_a_package_that_waits_with_its_imports_is_there() -> None:
    code = """
import importlib, types
for name in ("kijko.clients.git", "kijko.core.crew", "kijko.services.ingestion", "kijko.services.search"):
    package = importlib.import_module(name)
    print([each for each in package.__all__ if isinstance(getattr(package, each), types.ModuleType)], end="")
"""
    assert run(code) == "[][][][]"
