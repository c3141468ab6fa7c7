"""A real PgBouncer in transaction mode before the tests' PostgreSQL server."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from postgres.server import START_TIMEOUT_S, PostgresServer, free_port

_CONFIG = """
[databases]
* = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
default_pool_size = 8
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
logfile = {log}
pidfile =
"""


@contextlib.contextmanager
def pooler(server: PostgresServer) -> Iterator[int]:
    """The port of a PgBouncer that knows the server's superuser; it takes any database."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("pgbouncer is missing; make test installs it")
        pytest.skip("pgbouncer is not installed; make test installs it")
    with tempfile.TemporaryDirectory(prefix="indelible-pgbouncer-") as name:
        folder, port = Path(name), free_port()
        users, log, config = folder / "users.txt", folder / "pgbouncer.log", folder / "pgbouncer.ini"
        known = conninfo_to_dict(server.url)
        users.write_text(f'"{known["user"]}" "{known["password"]}"\n', "utf-8")
        config.write_text(_CONFIG.format(server_port=server.port, port=port, users=users, log=log), "utf-8")
        server.give(folder)
        process = subprocess.Popen([program, "-q", config], cwd="/", **_as_another_user())
        try:
            _wait_until_ready(process, through(server.url, port), log)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=60)


def through(url: str, port: int) -> str:
    """A database's URL by way of the pooler."""
    known = conninfo_to_dict(url)
    return f"postgresql://{known['user']}:{known['password']}@127.0.0.1:{port}/{known['dbname']}"


def _as_another_user() -> dict[str, object]:
    """PgBouncer, like PostgreSQL, refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            with psycopg.connect(url, connect_timeout=5):
                return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > give_up_at:
                pytest.fail(f"PgBouncer does not run:\n{log.read_text('utf-8') if log.exists() else ''}")
            time.sleep(0.05)
