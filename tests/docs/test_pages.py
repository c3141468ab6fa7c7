"""Every command and program of the documentation is run, in order, against a real server; what it shows is compared."""

import contextlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

import dynamodb.server
from cassandra_sharing import SharedCassandra
from docs.pages import ROOT, Block, blocks, pages, same_output
from indexes.opensearch_server import OpenSearchServer
from postgres.server import PostgresServer, free_port
from relays.kafka_server import kafka_server
from relays.nats_server import nats_server
from relays.rabbitmq_server import rabbitmq_server

SHOWN_URL = "127.0.0.1:8080"
SHOWN_DATABASE = "127.0.0.1:5432"
SHOWN_BROKER = "127.0.0.1:4222"
SHOWN_ESDB = "127.0.0.1:2113"
SHOWN_KAFKA = "127.0.0.1:9092"
SHOWN_RABBITMQ = "127.0.0.1:5672"
SHOWN_OPENSEARCH = "127.0.0.1:9200"
SHOWN_DYNAMODB = "127.0.0.1:8000"
SHOWN_CASSANDRA = "127.0.0.1,127.0.0.2,127.0.0.3:9042/events"
SERVER = f"indelible serve --store sqlite:data/indelible.db --http {SHOWN_URL}"
BIN = Path(sys.executable).parent
BLOCK_TIMEOUT_S = 300
LATER_TIMEOUT_S = 60
RUN_PAGES = [page for page in pages() if any(block.is_run for block in blocks(page))]


def _has_server(page: Path) -> bool:
    """Of its own."""
    return any(block.is_server for block in blocks(page))


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


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
        if _serves(f"http://{address}/readyz") or _serves(f"https://{address}/readyz"):
            return
        time.sleep(0.05)
    pytest.fail((directory / "server.log").read_text())


def _serves(url: str) -> bool:
    # Whom the reader trusts does not matter here.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=5, context=context):
            return True
    except urllib.error.HTTPError as error:
        # One that asks who it is serves.
        return error.code == 401
    except OSError:
        return False


class Reader:
    """Someone who follows a page step by step, in a clone of the repository."""

    def __init__(self, directory: Path, exits: contextlib.ExitStack, programs: Path = BIN) -> None:
        """``programs`` is the folder of the virtual environment's."""
        self._directory = directory
        self._exits = exits
        self._programs = programs
        self._address = f"127.0.0.1:{free_port()}"
        self._esdb = f"127.0.0.1:{free_port()}"
        self._database = SHOWN_DATABASE
        self._broker = SHOWN_BROKER
        self._kafka = SHOWN_KAFKA
        self._rabbitmq = SHOWN_RABBITMQ
        self._opensearch = SHOWN_OPENSEARCH
        self._dynamodb = SHOWN_DYNAMODB
        self._cassandra = SHOWN_CASSANDRA
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("INDELIBLE_")},
            "PATH": f"{programs}:{os.environ['PATH']}",
            "VIRTUAL_ENV": str(programs.parent),
        }
        if programs != BIN:
            # What is installed there is meant, and not what these tests were told to run.
            self._environ.pop("PYTHONPATH", None)

    def use_database(self, server: PostgresServer) -> None:
        """A PostgreSQL with an empty database "events"; the reader has psql, and knows the superuser's password."""
        server.query("DROP DATABASE IF EXISTS events WITH (FORCE)")
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

    def use_cassandra(self, shared: SharedCassandra) -> None:
        """Three nodes without the page's keyspace, which goes again at the end."""
        self._cassandra = shared.servers.url("page").removeprefix("cassandra://")

        def drop() -> None:
            with shared.servers.session() as session:
                session.execute("DROP KEYSPACE IF EXISTS page")

        drop()
        self._exits.callback(drop)

    def serve(self, command: str) -> None:
        self._exits.enter_context(_server(self._addressed(command), self._address, self._directory, self._environ))

    def follow(self, page: Path, *, before: str | None = None) -> None:
        """Up to the heading ``before``, if that is given."""
        output, output_of = "", None
        for block in blocks(page, before=before):
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
        arguments = (
            [str(self._programs / "python"), "-"] if block.language == "python" else ["bash", "-euo", "pipefail", "-s"]
        )
        return self._execute(arguments, block.text, block.exit_code, block.where)

    def _run_console(self, block: Block) -> str:
        steps = re.findall(r"^\$ (.*(?:\n {4}.*)*)\n((?:(?!\$ ).*\n?)*)", block.text, re.MULTILINE)
        assert steps, block.where
        for i, (command, shown) in enumerate(steps):
            code = block.exit_code if i == len(steps) - 1 else 0
            output = self._execute(["bash", "-euo", "pipefail", "-s"], command, code, block.where)
            give_up_at = time.monotonic() + LATER_TIMEOUT_S
            while command.startswith("sleep ") and not same_output(shown, output) and time.monotonic() < give_up_at:
                output = self._execute(["bash", "-euo", "pipefail", "-s"], command, code, block.where)
            assert same_output(shown, output), f"{block.where}\n$ {command}\n{output}"
        return ""

    def _execute(self, arguments: list[str], program: str, exit_code: int, where: str) -> str:
        result = subprocess.run(
            arguments, input=self._addressed(program), cwd=self._directory, env=self._environ, timeout=BLOCK_TIMEOUT_S,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == exit_code, f"{where} exits with {result.returncode}\n{program}\n{result.stdout}"
        output = result.stdout.replace(self._address, SHOWN_URL).replace(self._database, SHOWN_DATABASE)
        return output.replace(self._cassandra, SHOWN_CASSANDRA).replace("keyspace page", "keyspace events")

    def _addressed(self, text: str) -> str:
        text = text.replace(SHOWN_URL, self._address).replace(SHOWN_BROKER, self._broker)
        text = text.replace(SHOWN_KAFKA, self._kafka).replace(SHOWN_ESDB, self._esdb)
        text = text.replace(SHOWN_RABBITMQ, self._rabbitmq).replace(SHOWN_OPENSEARCH, self._opensearch)
        text = text.replace(SHOWN_DYNAMODB, self._dynamodb).replace(SHOWN_CASSANDRA, self._cassandra)
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
            if not _has_server(page):
                reader.follow(page)


@pytest.mark.parametrize("page", [page for page in RUN_PAGES if _has_server(page)], ids=_name)
def test_what_the_page_shows_is_what_happens(page: Path, clone: Path, request: pytest.FixtureRequest):
    """Of a page with a server of its own."""
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
        if SHOWN_CASSANDRA in page.read_text("utf-8"):
            reader.use_cassandra(request.getfixturevalue("cassandra"))
        reader.follow(page)


def test_the_readme_starts_with_how_to_get_it():
    first = blocks(ROOT / "README.md")[0]
    commands = [line.split("#")[0].strip() for line in first.text.splitlines()]
    assert [command for command in commands if command] == [
        "pip install indelible", "indelible serve", "make run", "make test"
    ]  # fmt: skip


def test_the_readme_names_every_page():
    text = (ROOT / "README.md").read_text("utf-8")
    parts = ("tutorial", "how-to", "reference", "explanation")
    names = [str(page.relative_to(ROOT)) for page in pages() if page.parent.name in parts]
    assert [name for name in names if f"]({name})" not in text] == []


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
