"""Real Cassandra nodes that tests start, kill and start again, on jars that ``make .cassandra/.fetched`` brings.

Three of them take half a minute and 3 GB. So all workers of a test run share them: see :mod:`cassandra_sharing`.
"""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import cassandra
import msgspec
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import FallthroughRetryPolicy, WhiteListRoundRobinPolicy
from cassandra.query import SimpleStatement

from java_server import TIMEOUT_S, JavaServer, fetched, java
from postgres.server import free_port

START_TIMEOUT_S: Final = 240.0
"""A node that was killed under load reads its commit log again first, and all of it on what the load leaves."""
_REQUEST_TIMEOUT_S: Final = 60.0
_CONNECT_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.1

_OPENED: Final = (
    *(f"--add-exports={name}=ALL-UNNAMED" for name in (
        "java.base/jdk.internal.misc", "java.base/jdk.internal.ref", "java.base/java.lang.ref",
        "java.management.rmi/com.sun.jmx.remote.internal.rmi", "java.rmi/sun.rmi.registry", "java.rmi/sun.rmi.server",
        "java.sql/java.sql", "jdk.unsupported/sun.misc",
    )),
    *(f"--add-opens={name}=ALL-UNNAMED" for name in (
        "java.base/java.lang.module", "java.base/jdk.internal.loader", "java.base/jdk.internal.ref",
        "java.base/jdk.internal.reflect", "java.base/jdk.internal.math", "java.base/jdk.internal.module",
        "java.base/jdk.internal.util.jar", "java.base/java.nio", "java.base/sun.nio.ch", "java.base/java.io",
        "java.base/java.lang", "java.base/java.lang.reflect", "java.base/java.util", "java.base/java.util.concurrent",
        "java.base/java.util.concurrent.atomic", "jdk.management/com.sun.management.internal",
    )),
)  # fmt: skip
"""What of Java Cassandra looks into; its own start script says the same."""

_SETTINGS: Final = """\
cluster_name: tests
num_tokens: 1
initial_token: {token}
auto_bootstrap: false
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
authenticator: {authenticator}
authorizer: {authorizer}
role_manager: CassandraRoleManager
data_file_directories: [{home}/data]
commitlog_directory: {home}/commitlog
saved_caches_directory: {home}/saved_caches
hints_directory: {home}/hints
cdc_raw_directory: {home}/cdc_raw
commitlog_sync: group
commitlog_sync_group_window: 2ms
commitlog_segment_size: 32MiB
commitlog_total_space: 256MiB
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{{seeds: "{seeds}"}}]
listen_address: {address}
rpc_address: {address}
storage_port: {storage_port}
native_transport_port: {port}
endpoint_snitch: SimpleSnitch
concurrent_reads: 4
concurrent_writes: 4
native_transport_max_threads: 8
memtable_heap_space: 96MiB
memtable_offheap_space: 96MiB
file_cache_size: 32MiB
key_cache_size: 8MiB
counter_cache_size: 0MiB
concurrent_compactors: 1
compaction_throughput: 32MiB/s
disk_failure_policy: die
commit_failure_policy: die
paxos_variant: v2
paxos_state_purging: repaired
storage_compatibility_mode: NONE
auto_snapshot: false
"""
_PATIENCE: Final = """\
cas_contention_timeout: 10s
read_request_timeout: 10s
write_request_timeout: 10s
"""
_LOGGING: Final = """\
<configuration>
  <appender name="STDOUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level %date{HH:mm:ss.SSS} [%thread] %logger{20} %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="STDOUT"/></root>
</configuration>
"""
_FIRST_TOKEN: Final = -(2**63)


NETWORK: Final = "127.0.0"
"""The kernel has all addresses that begin with 127, without being told."""
_ALL: Final = cassandra.ConsistencyLevel.ALL


class Ports(msgspec.Struct, frozen=True):
    """Of a cluster. All its nodes listen on the same ones, each on an address of its own; for what is managed, on one
    address."""

    native: int
    storage: int
    jmx: tuple[int, ...]


class CassandraNode(JavaServer):
    """One of a cluster, the first is 1; its address is ``network``.n. Any process may end what another has started: its
    process id is in a file."""

    home = fetched(".cassandra")

    def __init__(self, folder: Path, network: str, number: int, ports: Ports, *, large: bool = False) -> None:
        super().__init__(folder)
        self.is_large: Final = large
        if large:
            self.jvm = ("-XX:+UseSerialGC", "-Xshare:auto")
        self.number, self.ports = number, ports
        self._network = network
        self.address = f"{network}.{number}"

    def write_settings(self, nodes: int, *, login: bool) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "logback.xml").write_text(_LOGGING)
        seeds = ",".join(f"{self._network}.{n}:{self.ports.storage}" for n in range(1, nodes + 1))
        # What is slow on a busy machine is not lost; who breaks nodes has them as they come.
        patience = "" if self.is_large else _PATIENCE
        (self.folder / "cassandra.yaml").write_text(
            patience
            + _SETTINGS.format(
                token=_FIRST_TOKEN + 2**64 // nodes * (self.number - 1), home=self.folder, seeds=seeds,
                address=self.address, storage_port=self.ports.storage, port=self.ports.native,
                authenticator="PasswordAuthenticator" if login else "AllowAllAuthenticator",
                authorizer="CassandraAuthorizer" if login else "AllowAllAuthorizer",
            )
        )  # fmt: skip

    def arguments(self) -> Sequence[str | Path]:
        properties = {
            "cassandra.config": f"file:{self.folder / 'cassandra.yaml'}",
            "logback.configurationFile": f"file:{self.folder / 'logback.xml'}",
            "cassandra-foreground": "yes",
            "cassandra.jmx.local.port": self.jmx_port,
            "cassandra.ring_delay_ms": 3_000,
            "cassandra.skip_wait_for_gossip_to_settle": 0,
            "cassandra.superuser_setup_delay_ms": 100,
            # It wakes up so often, which is half of what nodes take that nobody uses.
            "cassandra.approximate_time_precision_ms": 20,
        }
        return [
            "-Xmx640M", "-Xss256k", *_OPENED, *(f"-D{name}={value}" for name, value in properties.items()),
            "org.apache.cassandra.service.CassandraDaemon",
        ]  # fmt: skip

    @property
    def jmx_port(self) -> int:
        return self.ports.jmx[self.number - 1]

    def answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.address, self.ports.native), timeout=1):
            return True
        return False

    def nodetool(self, *arguments: str) -> str:
        """What it says. Raises when it fails."""
        command = [
            *java(self.home), *self.jvm, *_OPENED, "org.apache.cassandra.tools.NodeTool",
            "-h", "127.0.0.1", "-p", str(self.jmx_port), *arguments,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # --- The process -------------------------------------------------------------------------------------------------

    def launch(self, classes: Sequence[str] = ()) -> None:
        # What Cassandra loads is for the most part what Java cannot archive.
        super().launch(classes or ("-Xshare:auto",))
        (self.folder / "pid").write_text(str(self.pid))

    def _signal(self, number: int) -> None:
        os.kill(int((self.folder / "pid").read_text()), number)

    def _end(self, number: int) -> None:
        pid = self._running()
        if pid is None:
            return
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)
        give_up_at = time.monotonic() + TIMEOUT_S
        while self._running() is not None:
            assert time.monotonic() < give_up_at, f"node {self.number} does not end: {self.log()}"
            time.sleep(0.02)
        (self.folder / "pid").unlink()

    @property
    def is_running(self) -> bool:
        return self._running() is not None

    @property
    def is_ours(self) -> bool:
        """Whether this process started it, and it runs."""
        return self.is_running and self._process is not None

    def _running(self) -> int | None:
        """Its process id, if it runs, whoever started it."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None
        with contextlib.suppress(OSError):
            pid = int((self.folder / "pid").read_text())
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            return pid if state != "Z" else None
        return None


class CassandraServers:
    """A cluster of ``nodes`` nodes in ``folder``. It stands as it is there already, or is made anew on ports that are
    free. ``large``: slower to start, and quicker then. ``login``: who connects says who they are; "cassandra" with the
    password "cassandra" may do all."""

    def __init__(
        self, folder: Path, nodes: int = 3, *, large: bool = False, login: bool = False, network: str = NETWORK
    ) -> None:
        self._login = login
        known = folder / "ports.json"
        is_new = not known.exists()
        self.ports = _free_ports(network, nodes) if is_new else msgspec.json.decode(known.read_bytes(), type=Ports)
        self.nodes: Final = tuple(
            CassandraNode(folder / f"node{n}", network, n, self.ports, large=large) for n in range(1, nodes + 1)
        )
        if is_new:
            for node in self.nodes:
                node.write_settings(nodes, login=login)
            known.write_bytes(msgspec.json.encode(self.ports))

    def start(self) -> None:
        """All of them, and wait until every one has every other."""
        for node in self.nodes:
            node.launch()
        self.wait_until_whole()

    def mend(self) -> None:
        """Thaw and start again what does not run, whoever started it."""
        for node in self.nodes:
            if not node.is_running:
                node.launch()
            node.thaw()
        self.wait_until_whole()

    @property
    def are_ours(self) -> bool:
        """Whether one of them ends when this process does."""
        return any(node.is_ours for node in self.nodes)

    def wait_until_whole(self) -> None:
        """Until every node answers, and knows that every other is up. For after one was started or thawed, too."""
        give_up_at = time.monotonic() + START_TIMEOUT_S
        for node in self.nodes:
            why = "it was not asked"
            while why:
                assert time.monotonic() < give_up_at, f"node {node.number}: {why}: {node.log()}"
                node.wait(START_TIMEOUT_S)
                why = self._lacks(node)

    def _lacks(self, node: CassandraNode) -> str:
        """Why the node cannot have data from all others; empty when it can."""
        replication = f"{{'class': 'NetworkTopologyStrategy', 'replication_factor': {len(self.nodes)}}}"
        try:
            with self.session(node) as session:
                if node is self.nodes[0]:
                    session.execute(f"CREATE KEYSPACE IF NOT EXISTS whole WITH replication = {replication}")
                    session.execute("CREATE TABLE IF NOT EXISTS whole.answers (id int PRIMARY KEY)")
                asked = SimpleStatement("SELECT id FROM whole.answers WHERE id = 1", consistency_level=_ALL)
                session.execute(asked)
        except (NoHostAvailable, cassandra.DriverException, OSError) as error:
            time.sleep(_POLL_S)
            return str(error)
        return ""

    @contextlib.contextmanager
    def session(self, node: CassandraNode | None = None) -> Iterator[Session]:
        """That asks this node, or the first, alone."""
        node = node or self.nodes[0]
        profile = ExecutionProfile(
            WhiteListRoundRobinPolicy([node.address]), FallthroughRetryPolicy(), request_timeout=_REQUEST_TIMEOUT_S
        )
        cluster = Cluster(
            [node.address],
            self.ports.native,
            auth_provider=PlainTextAuthProvider("cassandra", "cassandra") if self._login else None,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            connect_timeout=_CONNECT_TIMEOUT_S,
            protocol_version=5,
        )
        try:
            yield cluster.connect()
        finally:
            cluster.shutdown()

    def url(self, keyspace: str, more: str = "") -> str:
        """``more``: parameters, which begin with ``?``."""
        hosts = ",".join(node.address for node in self.nodes)
        return f"cassandra://{hosts}:{self.ports.native}/{keyspace}{more}"

    def close(self) -> None:
        for node in self.nodes:
            node.close()


def _free_ports(network: str, nodes: int) -> Ports:
    everywhere = [f"{network}.{n}" for n in range(1, nodes + 1)]
    return Ports(_free_port(everywhere), _free_port(everywhere), tuple(free_port() for _ in everywhere))


def _free_port(addresses: Sequence[str]) -> int:
    """On all of them."""
    for _ in range(100):
        port = free_port()
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for address in addresses:
                stack.enter_context(socket.create_server((address, port)))
            return port
    raise RuntimeError(f"no port is free on {', '.join(addresses)}")


@contextlib.contextmanager
def cassandra_servers(
    nodes: int = 3, *, large: bool = False, login: bool = False, network: str = NETWORK
) -> Iterator[CassandraServers]:
    """Nodes of one's own."""
    with tempfile.TemporaryDirectory() as folder:
        servers = CassandraServers(Path(folder), nodes, large=large, login=login, network=network)
        try:
            servers.start()
            yield servers
        finally:
            servers.close()
