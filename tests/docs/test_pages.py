"""Every command and program of the documentation is run, in order, against a real server; what it shows is compared."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.pages import ROOT, Block, blocks, pages, same_output

SHOWN_URL = "127.0.0.1:8080"
BIN = Path(sys.executable).parent
BLOCK_TIMEOUT_S = 120
RUN_PAGES = [page for page in pages() if any(block.is_run for block in blocks(page))]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def _server(directory: Path) -> Iterator[str]:
    address = f"127.0.0.1:{_free_port()}"
    command = [BIN / "indelible", "serve", "--store", "sqlite:data/indelible.db", "--http", address]
    with (directory / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_until_ready(process, address, directory)
        yield address
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0, (directory / "server.log").read_text()


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, directory: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/readyz", timeout=5):
            return
        time.sleep(0.05)
    pytest.fail((directory / "server.log").read_text())


class Reader:
    """Someone who follows a page step by step, in a clone of the repository."""

    def __init__(self, directory: Path, address: str) -> None:
        self._directory = directory
        self._address = address
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("INDELIBLE_")},
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "VIRTUAL_ENV": str(BIN.parent),
        }

    def follow(self, page: Path) -> None:
        output, output_of = "", None
        for block in blocks(page):
            if block.file is not None:
                (self._directory / block.file).write_text(self._addressed(block.text), "utf-8")
            elif block.is_run:
                output, output_of = self._run(block), block
                continue
            elif block.language == "text" and output_of is not None and output_of.language == "python":
                assert same_output(block.text, output), f"{block.where}\n{output}"
            output_of = None

    def _run(self, block: Block) -> str:
        if block.language == "console":
            return self._run_console(block)
        arguments = [sys.executable, "-"] if block.language == "python" else ["bash", "-euo", "pipefail", "-s"]
        return self._execute(arguments, block.text, block.exit_code, block.where)

    def _run_console(self, block: Block) -> str:
        steps = re.findall(r"^\$ (.*(?:\n {4}.*)*)\n((?:(?!\$ ).*\n?)*)", block.text, re.MULTILINE)
        assert steps, block.where
        for i, (command, shown) in enumerate(steps):
            code = block.exit_code if i == len(steps) - 1 else 0
            output = self._execute(["bash", "-euo", "pipefail", "-s"], command, code, block.where)
            assert same_output(shown, output), f"{block.where}\n$ {command}\n{output}"
        return ""

    def _execute(self, arguments: list[str], program: str, exit_code: int, where: str) -> str:
        result = subprocess.run(
            arguments, input=self._addressed(program), cwd=self._directory, env=self._environ, timeout=BLOCK_TIMEOUT_S,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == exit_code, f"{where} exits with {result.returncode}\n{program}\n{result.stdout}"
        return result.stdout.replace(self._address, SHOWN_URL)

    def _addressed(self, text: str) -> str:
        return text.replace(SHOWN_URL, self._address)


@pytest.mark.parametrize("page", RUN_PAGES, ids=_name)
def test_what_the_page_shows_is_what_happens(page: Path, tmp_path: Path):
    clone = tmp_path / "indelible"
    subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, clone], check=True)
    # The clone has what is committed; the examples are to be those of this tree.
    shutil.copytree(ROOT / "examples", clone / "examples", dirs_exist_ok=True)
    with _server(clone) as address:
        Reader(clone, address).follow(page)


def test_the_readme_starts_with_the_two_commands():
    first = blocks(ROOT / "README.md")[0]
    assert [line.split("#")[0].strip() for line in first.text.splitlines()] == ["make run", "make test"]


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_links_lead_somewhere(page: Path):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    relative = [target for target in targets if "://" not in target]
    assert [target for target in relative if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_blocks_that_are_not_run_say_why(page: Path):
    unknown = [
        block.where
        for block in blocks(page)
        if block.directive and not re.match(r"(file|exit|not run): \S", block.directive)
    ]
    assert unknown == []
