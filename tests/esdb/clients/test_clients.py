"""The clients for Python and Node.js, which every machine that tests has; ``make esdb-clients`` runs all languages."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import npm
from esdb.clients.run import CHECKS, FOLDER, PROGRAMS, Program, check, esdb_server
from faults.server_process import ServerProcess


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[tuple[ServerProcess, str]]:
    async with esdb_server(tmp_path) as server_and_address:
        yield server_and_address


async def test_the_client_for_python(server: tuple[ServerProcess, str]):
    await check(PROGRAMS["python"], FOLDER / "python", *server)


async def test_the_clients_for_node(server: tuple[ServerProcess, str], tmp_path: Path):
    folder = await asyncio.to_thread(npm.installed, FOLDER / "node", tmp_path)
    for name in ("node", "node-eventstore"):
        await check(PROGRAMS[name], folder, *server)


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_program_has_every_check_that_its_client_can_do(name: str):
    program = PROGRAMS[name]
    assert program.lacks <= set(CHECKS)
    assert _said(program) >= set(program.expected)


def _said(program: Program) -> set[str]:
    sources = [
        path for path in (FOLDER / program.folder).rglob("*.*") if path.suffix in {".py", ".mjs", ".go", ".java", ".rs"}
    ]
    return {
        said
        for path in sources
        if "node_modules" not in path.parts
        for said in re.findall(r'"([^"\n]+)"', path.read_text())
    }
