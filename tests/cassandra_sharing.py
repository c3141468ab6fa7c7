"""One cluster of Cassandra for all workers of a test run: started by the first that asks, stopped when all have ended.

Every process that uses it holds a lock on a file for as long as it does. Nodes end with the process that started them,
so that waits at its end until nobody holds the lock. Locks go with their holder: a worker that dies keeps nobody.

Another lock is held in each test of such a process, together with others, and by who breaks nodes alone: no other test
runs on them then.
"""

import contextlib
import fcntl
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

import pytest

from cassandra_servers import CassandraServers
from indelible.engines.cassandra import catching_up, proposer, records, session
from indelible.engines.cassandra.address import parse_address
from indelible.engines.cassandra.schema import table_names
from indelible.engines.cassandra.session import text_of

KEYSPACE: Final = "tests"
_OTHERS_END_S: Final = 30 * 60.0
_POLL_S: Final = 0.05


class SharedCassandra:
    """Three nodes, and a keyspace with all tables, in which stores need not be made."""

    def __init__(self, servers: CassandraServers, testing: TextIO) -> None:
        self.servers: Final = servers
        self._testing: Final = testing

    def new_url(self, more: str = "") -> str:
        """Of a store that nobody has used. ``more``: further parameters, which begin with ``&``."""
        return self.servers.url(KEYSPACE, f"?store=t{secrets.token_hex(8)}{more}")

    def begin_test(self) -> None:
        """From now on no other process breaks nodes."""
        fcntl.flock(self._testing, fcntl.LOCK_SH)

    def end_test(self) -> None:
        fcntl.flock(self._testing, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def breaking(self) -> Iterator[CassandraServers]:
        """To break nodes: no test of another process runs on them meanwhile. All are whole again at the end."""
        fcntl.flock(self._testing, fcntl.LOCK_EX)
        try:
            yield self.servers
        finally:
            self.servers.mend()
            fcntl.flock(self._testing, fcntl.LOCK_SH)


@contextlib.contextmanager
def shared_cassandra(folder: Path) -> Iterator[SharedCassandra]:
    """``folder`` is the same for all who share it."""
    folder.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        starting, using, testing = (
            stack.enter_context((folder / f"{name}.lock").open("w")) for name in ("starting", "using", "testing")
        )
        servers = _joined(folder, starting, using)
        shared = SharedCassandra(servers, testing)
        stack.enter_context(_patience())
        # Stores that come after one another find it connected.
        connected = session._acquire(parse_address(shared.new_url()).of_cluster)
        try:
            yield shared
        finally:
            session._release(connected)
            fcntl.flock(using, fcntl.LOCK_UN)
            if servers.are_ours:
                _stop_after_others(folder, starting, using)


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """Tests share two cores with three nodes, and whatever else runs: what is slow there is not lost."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(session, "CASSANDRA_TIMEOUT_S", 10)
        patched.setattr(session, "CASSANDRA_HEARTBEAT_TIMEOUT_S", 20)
        patched.setattr(session, "DATABASE_CONNECT_TIMEOUT_S", 20)
        for module in (proposer, catching_up):
            patched.setattr(module, "DATABASE_RETRY_TOTAL_S", 60)
        # Of an append behind one that failed, which a test may have let fail.
        patched.setattr(proposer, "DATABASE_LATE_TIMEOUT_S", 60)
        for module in (session, records):
            patched.setattr(module, "DATABASE_TIMEOUT_S", 60)
        yield


def _joined(folder: Path, starting: TextIO, using: TextIO) -> CassandraServers:
    started = folder / "started"
    with _locked(starting):
        servers = CassandraServers(folder)
        if not started.exists():
            try:
                servers.start()
                _make_tables(servers)
            except BaseException:
                servers.close()
                raise
            started.touch()
        fcntl.flock(using, fcntl.LOCK_SH)
    return servers


def _stop_after_others(folder: Path, starting: TextIO, using: TextIO) -> None:
    give_up_at = time.monotonic() + _OTHERS_END_S
    while not _stopped(folder, starting, using):
        assert time.monotonic() < give_up_at, "a process uses the nodes and does not end"
        time.sleep(_POLL_S)


def _stopped(folder: Path, starting: TextIO, using: TextIO) -> bool:
    """False, and nothing happens, while another process uses them."""
    with _locked(starting):
        try:
            fcntl.flock(using, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        (folder / "started").unlink(missing_ok=True)
        CassandraServers(folder).close()
        fcntl.flock(using, fcntl.LOCK_UN)
    return True


@contextlib.contextmanager
def _locked(file: TextIO) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _make_tables(servers: CassandraServers) -> None:
    with servers.session() as connection:
        replication = "{'class': 'NetworkTopologyStrategy', 'replication_factor': 3}"
        connection.execute(f"CREATE KEYSPACE IF NOT EXISTS {KEYSPACE} WITH replication = {replication}")
        for name in table_names():
            connection.execute(text_of(f"tables/{name}", KEYSPACE))
