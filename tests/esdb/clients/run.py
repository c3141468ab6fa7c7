"""Runs the check programs of clients in several languages, each against a server that it may have killed.

``python -m esdb.clients.run go java rust`` (with ``tests`` on the path) builds and runs those; without names, all.
A program is given the server's address, HOST:PORT. It prints a line for each of :data:`CHECKS` that holds, and ends
with another code than 0 at the first that does not. When it prints ``RESTART``, the server is killed and started
again, and when it is ready the program reads a line.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import programs
from faults.server_process import ServerProcess
from house.source import ROOT
from postgres.server import free_port

FOLDER: Final = Path(__file__).parent
BUILD_TIMEOUT_S: Final = 1800
"""Packages come over the network."""
RUN_TIMEOUT_S: Final = 300
"""Of which a program needs a hundredth on a machine that does nothing else."""
CHECKS: Final = (
    "discovery",
    "expected revisions",
    "the same append again",
    "reading a stream",
    "reading $all",
    "stream metadata",
    "deletion",
    "appends to several streams",
    "a subscription through a restart",
    "a persistent subscription",
)


class Program(NamedTuple):
    """``tools``: what must be there to ``build`` and ``run`` it, in the folder of this name."""

    folder: str
    tools: tuple[str, ...]
    build: tuple[str, ...]
    run: tuple[str, ...]
    lacks: frozenset[str] = frozenset()
    """Those checks for which the client has no call."""

    @property
    def missing(self) -> list[str]:
        return [tool for tool in self.tools if shutil.which(tool) is None]

    @property
    def expected(self) -> list[str]:
        return [check for check in CHECKS if check not in self.lacks]


_NPM_CI: Final = ("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
_FETCH_JAVA: Final = (str(ROOT / "tools" / "fetch_java_server.sh"), "pom.xml", "target")
PROGRAMS: Final[Mapping[str, Program]] = {
    "python": Program("python", (), (), (sys.executable, "check.py")),
    "node": Program("node", ("node", "npm"), _NPM_CI, ("node", "check.mjs", "@kurrent/kurrentdb-client")),
    "node-eventstore": Program(
        "node", ("node", "npm"), _NPM_CI, ("node", "check.mjs", "@eventstore/db-client"),
        lacks=frozenset({"appends to several streams"}),
    ),
    "go": Program("go", ("go",), ("go", "build", "-o", "target/check", "."), ("target/check",)),
    "java": Program(
        "java", ("java", "mvn"), _FETCH_JAVA, ("java", "-XX:TieredStopAtLevel=1", "-cp", "target/lib/*", "Check")
    ),
    "rust": Program(
        "rust", ("cargo",), ("cargo", "build", "--locked", "--quiet"), ("target/debug/check",),
        lacks=frozenset({"appends to several streams"}),
    ),
}  # fmt: skip


class Failed(Exception):
    """With what the program, or the server, said."""


@contextlib.asynccontextmanager
async def esdb_server(folder: Path) -> AsyncIterator[tuple[ServerProcess, str]]:
    """On an SQLite store in the folder; with the address at which these clients are served."""
    address = f"127.0.0.1:{free_port()}"
    config = folder / "indelible.toml"
    config.write_text(f'[wire.esdb]\naddress = "{address}"\n')
    server = ServerProcess(folder / "store.db", flags=("--config", str(config)))
    try:
        await server.start()
        yield server, address
    finally:
        await server.kill()


def build(program: Program, folder: Path) -> None:
    if program.build:
        done = subprocess.run(
            program.build, cwd=folder, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            raise Failed(done.stdout + done.stderr)


async def check(program: Program, folder: Path, server: ServerProcess, address: str) -> None:
    """Raises ``Failed`` where one does not hold. ``folder``: where it was built."""
    printed, code = await _run([*program.run, address], folder, server)
    if code != 0 or printed != program.expected:
        raise Failed(f"ended with {code} after {printed}\n{server.tail()}")


async def _run(command: Sequence[str], folder: Path, server: ServerProcess) -> tuple[list[str], int]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ
    )
    assert process.stdin is not None
    assert process.stdout is not None
    printed = []
    try:
        async with asyncio.timeout(RUN_TIMEOUT_S):
            while line := (await process.stdout.readline()).decode().rstrip():
                if line == "RESTART":
                    await server.kill()
                    await server.start()
                    process.stdin.write(b"\n")
                else:
                    printed.append(line)
            return printed, await process.wait()
    except TimeoutError:
        raise Failed(f"hangs after {printed}\n{server.tail()}") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _check_named(names: Sequence[str]) -> int:
    """How many failed."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        async with esdb_server(Path(folder)) as (server, address):
            for name in names:
                try:
                    outcome = await _built_and_checked(PROGRAMS[name], server, address)
                except Failed as error:
                    failed += 1
                    outcome = f"FAILED: {error}"
                print(f"{name}: {outcome}", flush=True)
    return failed


async def _built_and_checked(program: Program, server: ServerProcess, address: str) -> str:
    if program.missing:
        raise Failed(f"needs {' and '.join(program.missing)}")
    folder = FOLDER / program.folder
    build(program, folder)
    await check(program, folder, server, address)
    return f"{len(program.expected)} checks hold"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *PROGRAMS], help="all without any")
    names = parser.parse_args().names or list(PROGRAMS)
    programs.take_charge()
    sys.exit(asyncio.run(_check_named(names)) > 0)


if __name__ == "__main__":
    main()
