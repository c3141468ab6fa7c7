"""The pytest plugin, in a pytest of its own, as a user has it."""

import subprocess
import sys
from pathlib import Path

import pytest

USER_TESTS = """
from indelible import NewEvent

def test_sync(event_store_client):
    event_store_client.append("Order", "1", [NewEvent("Placed")])
    assert event_store_client.head().position == 1

def test_each_test_has_its_own(event_store_client):
    assert event_store_client.head().position == 0
"""

ASYNC_TESTS = """
import pytest
from indelible import NewEvent

pytestmark = pytest.mark.{mark}

async def test_async(event_store):
    await event_store.append("Order", "1", [NewEvent("Placed")])
    assert (await event_store.head()).position == 1

async def test_each_test_has_its_own(event_store):
    assert (await event_store.head()).position == 0
"""


def _pytest(directory: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, str(directory)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=directory)


def test_without_any_async_plugin(tmp_path: Path):
    (tmp_path / "test_user.py").write_text(USER_TESTS)
    ran = _pytest(tmp_path, "-p", "no:asyncio", "-p", "no:anyio")
    assert (ran.returncode, "2 passed" in ran.stdout) == (0, True), ran.stdout + ran.stderr


@pytest.mark.parametrize(("mark", "without"), [("asyncio", "anyio"), ("anyio", "asyncio")])
def test_with_either_async_plugin(tmp_path: Path, mark: str, without: str):
    (tmp_path / "test_user.py").write_text(ASYNC_TESTS.format(mark=mark))
    (tmp_path / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    )
    ran = _pytest(tmp_path, "-p", f"no:{without}", "-W", "error::RuntimeWarning")
    assert (ran.returncode, "2 passed" in ran.stdout) == (0, True), ran.stdout + ran.stderr


def test_they_are_documented(tmp_path: Path):
    listed = _pytest(tmp_path, "--fixtures").stdout
    assert "event_store --" in listed
    assert "event_store_client --" in listed
    assert listed.count("empty store in memory") == 2


def test_loading_the_plugin_loads_nothing_heavy():
    code = "import sys, indelible.testing.fixtures; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) & {"hypothesis", "aiohttp", "apsw", "pytest_asyncio", "indelible.client", "asyncio"} == set()
