"""Three real PostgreSQL servers that Patroni keeps highly available, with an etcd; started and broken by tests.

The settings are those of ``deploy/patroni``, but for a watchdog, and one etcd does for three. All calls block; a
coroutine that must go on meanwhile makes them through ``asyncio.to_thread``.
"""

import contextlib
import os
import pwd
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from postgres.server import START_TIMEOUT_S, STOP_TIMEOUT_S, PostgresServer, environment, free_port

CONFIGURATION: Final = Path(__file__).resolve().parents[2] / "deploy" / "patroni" / "patroni.yml"
NODES: Final = 3
WHOLE_TIMEOUT_S: Final = 240.0
"""Three servers start one after another, or one is wound back and follows again; on a busy machine."""
_REST_TIMEOUT_S: Final = 2.0
_POLL_S: Final = 0.05
Role = Literal["leader", "sync_standby"]


class Member(msgspec.Struct):
    """A node as Patroni sees it."""

    name: str
    role: str
    """Mostly a ``Role``, or ``replica``."""
    state: str
    timeline: int | None = None

    @property
    def is_running(self) -> bool:
        return self.state in {"running", "streaming"}


class _Cluster(msgspec.Struct):
    members: list[Member]


class PatroniNode(PostgresServer):
    """A Patroni, and the PostgreSQL that it starts. ``start``, ``stop``, ``kill`` and ``signal_all`` are for both;
    ``start`` waits for nothing."""

    def __init__(self, folder: Path, name: str, etcd_port: int, password: str) -> None:
        folder.mkdir()
        super().__init__(folder, password=password)
        self.name = name
        self.rest_port = free_port()
        self._configuration = self._folder / "patroni.yml"
        self._configuration.write_bytes(msgspec.yaml.encode(self._configured(etcd_port)))
        self.give(self._folder)

    def _configured(self, etcd_port: int) -> Mapping[str, object]:
        address, rest = f"127.0.0.1:{self.port}", f"127.0.0.1:{self.rest_port}"
        given = msgspec.yaml.decode(CONFIGURATION.read_bytes(), type=dict[str, Any])
        superuser = {"username": "postgres", "password": self._password}
        database = {
            **given["postgresql"],
            "listen": address,
            "connect_address": address,
            "data_dir": str(self.data),
            "bin_dir": str(self.programs),
            "pgpass": str(self._folder / "pgpass"),
            "authentication": {
                "superuser": superuser,
                "replication": {"username": "replicator", "password": self._password},
                "rewind": superuser,
            },
            "parameters": {**self.settings, "unix_socket_directories": str(self._folder)},
        }
        return {
            **given,
            "name": self.name,
            "restapi": {"listen": rest, "connect_address": rest},
            "etcd3": {"hosts": [f"127.0.0.1:{etcd_port}"]},
            "postgresql": database,
            "watchdog": {"mode": "off"},
        }

    def start(self, timeout_s: float = START_TIMEOUT_S) -> float:
        command = [Path(sys.executable).with_name("patroni"), self._configuration]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_as_user(self._user), *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder,
                env=environment(), start_new_session=True,
            )  # fmt: skip
        return 0.0

    def processes(self) -> list[int]:
        running = self._process is not None and self._process.poll() is None
        return [*([self._process.pid] if self._process is not None and running else []), *super().processes()]

    def kill_patroni(self) -> None:
        """kill -9 of Patroni alone: the database goes on without it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(STOP_TIMEOUT_S)

    def kill_database(self) -> None:
        """kill -9 of PostgreSQL alone."""
        while found := super().processes():
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def members(self) -> list[Member]:
        """All nodes, as this one sees them; none when it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rest_port}/cluster", timeout=_REST_TIMEOUT_S) as said:
                return msgspec.json.decode(said.read(), type=_Cluster).members
        except (OSError, urllib.error.URLError, msgspec.DecodeError):
            return []


class PatroniCluster:
    """``folder`` as for a :class:`PostgresServer`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._etcd: subprocess.Popen[bytes] | None = None
        self._etcd_port = free_port()
        password = secrets.token_hex(8)
        self.nodes = [
            PatroniNode(self._folder / name, name, self._etcd_port, password)
            for name in (f"node{number}" for number in range(1, NODES + 1))
        ]

    def start(self) -> None:
        """All at once; returns when there are a leader, a standby that confirms every commit, and another."""
        self._start_etcd()
        for node in self.nodes:
            node.start()
        self.wait_until_whole()

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()
        if self._etcd is not None:
            self._etcd.kill()
            self._etcd.wait()

    def url_of(self, database: str) -> str:
        """Names all nodes."""
        first = self.nodes[0]
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return first.url_of(database).replace(f"127.0.0.1:{first.port}", hosts)

    def new_database(self, name: str) -> str:
        """An empty database; its URL."""
        self.holder("leader").query(f"CREATE DATABASE {name}")
        return self.url_of(name)

    # --- Who is what -------------------------------------------------------------------------------------------------

    def members(self) -> list[Member]:
        """As the first sees them that answers."""
        return next((found for node in self.nodes if (found := node.members())), [])

    def holder(self, role: Role) -> PatroniNode:
        """Who is it now; raises ``RuntimeError`` if there is none."""
        for member in self.members():
            if member.role == role:
                return self._named(member.name)
        raise RuntimeError(f"there is no {role}:\n{self.log_tails()}")

    def wait_until_whole(self) -> float:
        """Until every node runs, and one of the standbys confirms every commit. How long that took, in seconds."""
        return self._wait_for(_is_whole, "whole")

    def wait_for_other(self, role: Role, than: PatroniNode) -> float:
        """Until another node has the role. How long that took, in seconds."""

        def holds(members: list[Member]) -> bool:
            return any(one.role == role and one.is_running and one.name != than.name for one in members)

        return self._wait_for(holds, f"with another {role}")

    def _wait_for(self, holds: Callable[[list[Member]], bool], what: str) -> float:
        started = time.monotonic()
        while not holds(self.members()):
            if time.monotonic() > started + WHOLE_TIMEOUT_S:
                raise RuntimeError(f"the cluster is not {what}: {self.members()}\n{self.log_tails()}")
            time.sleep(_POLL_S)
        return time.monotonic() - started

    def _named(self, name: str) -> PatroniNode:
        return next(node for node in self.nodes if node.name == name)

    def log_tails(self) -> str:
        return "\n".join(f"{node.name}:\n{node.log_tail()}" for node in self.nodes)

    # --- Within ------------------------------------------------------------------------------------------------------

    def _start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd_port, free_port()))
        command = [
            "etcd", "--data-dir", self._folder / "etcd", "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"default={peer}",
        ]  # fmt: skip
        with (self._folder / "etcd.log").open("ab") as log:
            self._etcd = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )


def _is_whole(members: list[Member]) -> bool:
    roles = sorted(one.role for one in members if one.is_running)
    return roles == ["leader", "replica", "sync_standby"] and len({one.timeline for one in members}) == 1


@contextlib.contextmanager
def patroni_cluster() -> Iterator[PatroniCluster]:
    """A cluster that has started, in a folder of its own; both are gone in the end."""
    with tempfile.TemporaryDirectory(prefix="indelible-patroni-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # for the user who runs the servers
        cluster = PatroniCluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.kill()


def _as_user(user: pwd.struct_passwd | None) -> list[str]:
    """A command before that of a program. The other user may enter a virtual environment below /root, too: unlike
    PostgreSQL's programs, Python with all that Patroni needs is not copied."""
    if user is None:
        return []
    rights = [f"--{kind}-caps=+dac_override" for kind in ("inh", "ambient")]
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *rights, "--"]
