"""The package's front door: what it names, and what importing it costs."""

import subprocess
import sys
from importlib import metadata

import pytest

import indelible


def _loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(result.stdout.split())


def test_every_name_is_there():
    assert all(getattr(indelible, name) is not None for name in indelible.__all__)
    assert indelible.__version__ == metadata.version("indelible")
    with pytest.raises(AttributeError, match="no_such_name"):
        indelible.no_such_name  # noqa: B018 - the access is the test


def test_who_looks_around_sees_every_name_before_it_is_loaded():
    code = "import indelible; print(*dir(indelible))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert set(indelible.__all__) - set(shown.split()) == set()


def test_the_command_line_begins_with_next_to_nothing():
    """What is imported before it can answer to Ctrl-C."""
    loaded = _loaded_by("import indelible.cli.main")
    assert {name for name in loaded if name.startswith("indelible")} == {
        "indelible", "indelible.cli", "indelible.cli.main",
    }  # fmt: skip
    assert loaded & {"msgspec", "typer", "asyncio"} == set()


def test_the_package_alone_loads_no_loop_and_no_client():
    loaded = _loaded_by("import indelible; indelible.NewEvent('X')")
    assert loaded & {"asyncio", "aiohttp", "indelible.client", "importlib.metadata"} == set()


@pytest.mark.parametrize(
    "use",
    [
        "async with AsyncClient('http://127.0.0.1:1', retry_total_s=0) as client: await client.head()",
        "AsyncClient('http://127.0.0.1:1')",
    ],
)
def test_a_client_of_a_server_loads_no_part_of_a_server(use: str):
    program = f"""
import asyncio
from indelible import AsyncClient, Unavailable
async def main():
    {use}
try:
    asyncio.run(main())
except Unavailable:
    pass
"""
    loaded = _loaded_by(program)
    server = {
        "starlette",
        "httptools",
        "uvloop",
        "apsw",
        "psycopg",
        "prometheus_client",
        "structlog",
        "typer",
        "hypothesis",
    }
    assert loaded & server == set()
    assert not any(name.startswith(("indelible.server", "indelible.engines", "indelible.core")) for name in loaded)
    assert ("aiohttp" in loaded) == ("with" in use)


def test_a_client_in_memory_loads_no_http_and_no_database():
    loaded = _loaded_by("from indelible import Client\nwith Client('memory:') as client: client.head()")
    assert loaded & {"aiohttp", "apsw", "psycopg", "starlette", "httptools"} == set()
