"""For every test: Hypothesis profiles, servers of PostgreSQL and of DynamoDB's API, and what programs that tests start
are given.

No deadlines on shared machines; the profile ``ci`` gives the same examples each time.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

import measured
import programs
from cassandra_sharing import SharedCassandra, shared_cassandra
from dynamodb.server import CREDENTIALS, Dynalite, dynalite_server, installed
from indelible.indexes.opensearch import calls
from indexes.opensearch_server import OpenSearchServer, opensearch_server
from postgres.server import PostgresServer, postgres_server

programs.take_charge()
# gRPC's own handlers for forks then run between fork and exec, and can spoil the program's start.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# As servers of their own do: what commands in this process print stays apart from what servers in it log.
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))

settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("dev"), derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The one test of two minutes comes first: nobody can take over half of it when all else is done."""
    items.sort(key=lambda item: item.path.name != "test_soak.py")


@pytest.fixture(scope="session", autouse=True)
def _programs_are_not_measured() -> None:
    """Once the workers of this run have started: see :mod:`measured`."""
    measured.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server that all tests of this process share, started when the first asks for it. Each takes a new database;
    who breaks the server, or changes its settings, starts one of its own."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def cassandra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedCassandra]:
    """Three nodes that all workers of this run share, each with stores of its own in one keyspace. Tests that ask for
    ``breaking`` have them for themselves."""
    folder = tmp_path_factory.getbasetemp()
    with shared_cassandra((folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "cassandra") as shared:
        # A test may ask for it when it has begun already.
        shared.begin_test()
        _shared.append(shared)
        yield shared
        _shared.clear()


_shared: list[SharedCassandra] = []


@pytest.fixture(autouse=True)
def _nodes_are_whole() -> Iterator[None]:
    """Once this process uses Cassandra, no other breaks nodes during a test."""
    for shared in _shared:
        shared.begin_test()
    yield
    for shared in _shared:
        shared.end_test()


@pytest.fixture(scope="session")
def opensearch() -> Iterator[OpenSearchServer]:
    """An OpenSearch node likewise. Each test takes a prefix of its own; who kills the node starts it again."""
    with opensearch_server() as server, pytest.MonkeyPatch.context() as patience:
        # What is slow beside all other tests is not lost.
        for name in ("INDEX_SERVICE_TIMEOUT_S", "INDEX_SERVICE_WRITE_TIMEOUT_S"):
            patience.setattr(calls, name, 60.0)
        yield server


@pytest.fixture(scope="session")
def dynalite_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.getbasetemp()
    return installed(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture(scope="session")
def dynalite(dynalite_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dynalite]:
    """A server that all tests of this process share, with credentials in the environment. Each takes a new table."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        with dynalite_server(dynalite_program, tmp_path_factory.mktemp("dynalite")) as server:
            yield server
