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
from psycopg.conninfo import conninfo_to_dict

import dynamodb.server
from docs.pages import ROOT, Block, blocks, pages, same_output
from indexes.opensearch_server import OpenSearchServer
from postgres.server import PostgresServer
from relays.kafka_server import kafka_server
from relays.nats_server import nats_server
from relays.rabbitmq_server import rabbitmq_server

SHOWN_URL = "127.0.0.1:8080"
SHOWN_DATABASE = "127.0.0.1:5432"
SHOWN_BROKER = "127.0.0.1:4222"
SHOWN_KAFKA = "127.0.0.1:9092"
SHOWN_RABBITMQ = "127.0.0.1:5672"
SHOWN_OPENSEARCH = "127.0.0.1:9200"
SHOWN_DYNAMODB = "127.0.0.1:8000"
SERVER = f"indelible serve --store sqlite:data/indelible.db --http {SHOWN_URL}"
BIN = Path(sys.executable).parent
BLOCK_TIMEOUT_S = 300
RUN_PAGES = [page for page in pages() if any(block.is_run for block in blocks(page))]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def _server(command: str, address: str, directory: Path, environ: dict[str, str]) -> Iterator[None]:
    with (directory / "server.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=directory, stdout=log, stderr=subprocess.STDOUT, env=environ
        )
    try:
        _wait_until_ready(process, address, directory)
        yield
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0, (directory / "server.log").read_text()


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, directory: Path) -> None:
    deadline = time.monotonic() + BLOCK_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/readyz", timeout=5):
            return
        time.sleep(0.05)
    pytest.fail((directory / "server.log").read_text())


class Reader:
    """Someone who follows a page step by step, in a clone of the repository."""

    def __init__(self, directory: Path, exits: contextlib.ExitStack) -> None:
        self._directory = directory
        self._exits = exits
        self._address = f"127.0.0.1:{_free_port()}"
        self._database = SHOWN_DATABASE
        self._broker = SHOWN_BROKER
        self._kafka = SHOWN_KAFKA
        self._rabbitmq = SHOWN_RABBITMQ
        self._opensearch = SHOWN_OPENSEARCH
        self._dynamodb = SHOWN_DYNAMODB
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("INDELIBLE_")},
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "VIRTUAL_ENV": str(BIN.parent),
        }

    def use_database(self, server: PostgresServer) -> None:
        """A PostgreSQL with an empty database "events"; the reader has psql, and knows the superuser's password."""
        server.query("DROP DATABASE IF EXISTS events")
        server.query("CREATE DATABASE events")
        self._database = f"127.0.0.1:{server.port}"
        self._environ["PGPASSWORD"] = str(conninfo_to_dict(server.url)["password"])
        self._environ["PATH"] = f"{server.programs}:{self._environ['PATH']}"

    def use_broker(self, folder: Path) -> None:
        """A NATS server with an empty JetStream."""
        folder.mkdir()
        self._broker = f"127.0.0.1:{self._exits.enter_context(nats_server(folder)).port}"

    def use_kafka(self, folder: Path) -> None:
        """A Kafka broker without topics."""
        folder.mkdir()
        self._kafka = self._exits.enter_context(kafka_server(folder)).address

    def use_rabbitmq(self, folder: Path) -> None:
        folder.mkdir()
        self._rabbitmq = f"127.0.0.1:{self._exits.enter_context(rabbitmq_server(folder)).port}"

    def use_opensearch(self, server: OpenSearchServer) -> None:
        """A node without indices of the page's."""
        server.call("DELETE", "/events-*")
        self._opensearch = server.address

    def use_dynamodb(self, server: dynamodb.server.Dynalite) -> None:
        """A service with DynamoDB's API, and credentials for it."""
        self._dynamodb = f"127.0.0.1:{server.port}"
        self._environ.update(dynamodb.server.CREDENTIALS)

    def serve(self, command: str) -> None:
        self._exits.enter_context(_server(self._addressed(command), self._address, self._directory, self._environ))

    def follow(self, page: Path) -> None:
        output, output_of = "", None
        for block in blocks(page):
            if block.is_server:
                self.serve(block.text)
            elif block.file is not None:
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
        return result.stdout.replace(self._address, SHOWN_URL).replace(self._database, SHOWN_DATABASE)

    def _addressed(self, text: str) -> str:
        text = text.replace(SHOWN_URL, self._address).replace(SHOWN_BROKER, self._broker)
        text = text.replace(SHOWN_KAFKA, self._kafka)
        text = text.replace(SHOWN_RABBITMQ, self._rabbitmq).replace(SHOWN_OPENSEARCH, self._opensearch)
        text = text.replace(SHOWN_DYNAMODB, self._dynamodb)
        return text.replace(SHOWN_DATABASE, self._database)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Of the repository."""
    clone = tmp_path / "indelible"
    subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, clone], check=True)
    # The clone has what is committed; the examples are to be those of this tree.
    shutil.copytree(ROOT / "examples", clone / "examples", dirs_exist_ok=True)
    return clone


def test_pages_work_one_after_another_on_one_store(clone: Path):
    """As they stand in the README, which comes first. Those with a server of their own have a store of their own."""
    with contextlib.ExitStack() as exits:
        reader = Reader(clone, exits)
        reader.serve(SERVER)
        for page in RUN_PAGES:
            if not any(block.is_server for block in blocks(page)):
                reader.follow(page)


@pytest.mark.parametrize("page", RUN_PAGES, ids=_name)
def test_what_the_page_shows_is_what_happens(page: Path, clone: Path, request: pytest.FixtureRequest):
    with contextlib.ExitStack() as exits:
        reader = Reader(clone, exits)
        if SHOWN_DATABASE in page.read_text("utf-8"):
            reader.use_database(request.getfixturevalue("postgres"))
        if SHOWN_BROKER in page.read_text("utf-8"):
            reader.use_broker(clone.parent / "nats")
        if SHOWN_KAFKA in page.read_text("utf-8"):
            reader.use_kafka(clone.parent / "kafka")
        if SHOWN_RABBITMQ in page.read_text("utf-8"):
            reader.use_rabbitmq(clone.parent / "rabbitmq")
        if SHOWN_OPENSEARCH in page.read_text("utf-8"):
            reader.use_opensearch(request.getfixturevalue("opensearch"))
        if SHOWN_DYNAMODB in page.read_text("utf-8"):
            reader.use_dynamodb(request.getfixturevalue("dynalite"))
        if not any(block.is_server for block in blocks(page)):
            reader.serve(SERVER)
        reader.follow(page)


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
        if block.directive and not re.match(r"serve$|(file|exit|not run): \S", block.directive)
    ]
    assert unknown == []
