"""The PostgreSQL server of the tests does what they build on: it is real, durable, and breaks when it is told to."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from postgres.server import PostgresServer, postgres_server


@pytest.fixture(scope="module")
def server_to_break() -> Iterator[PostgresServer]:
    with postgres_server({"checkpoint_timeout": "1h"}) as server:
        yield server


@pytest.fixture
def server(server_to_break: PostgresServer) -> Iterator[PostgresServer]:
    settings = dict(server_to_break.settings)
    yield server_to_break
    server_to_break.kill()
    server_to_break.settings = settings
    server_to_break.start()


def _with_rows(server: PostgresServer, *numbers: int) -> str:
    url = server.new_database()
    server.query("CREATE TABLE numbers (number int)", url=url)
    for number in numbers:
        server.query("INSERT INTO numbers VALUES (%s)", [number], url=url)
    return url


def _numbers(server: PostgresServer, url: str) -> list[int]:
    return [number for (number,) in server.query("SELECT number FROM numbers ORDER BY number", url=url)]


class TestShared:
    def test_databases_are_each_their_own(self, postgres: PostgresServer) -> None:
        one, other = _with_rows(postgres, 1, 2), _with_rows(postgres, 3)
        assert (_numbers(postgres, one), _numbers(postgres, other)) == ([1, 2], [3])

    def test_commits_are_durable(self, postgres: PostgresServer) -> None:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert postgres.query(f"SHOW {name}") == [("on",)]

    def test_needs_the_password(self, postgres: PostgresServer) -> None:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            postgres.query("SELECT 1", url=postgres.url_of("postgres", password="guessed"))

    def test_another_user(self, postgres: PostgresServer) -> None:
        postgres.query("CREATE ROLE reader LOGIN PASSWORD 'of-reader'")
        as_reader = postgres.url_of("postgres", user="reader", password="of-reader")
        assert postgres.query("SELECT current_user", url=as_reader) == [("reader",)]

    def test_programs_are_there(self, postgres: PostgresServer) -> None:
        url = _with_rows(postgres, 41)
        for command in (["psql", "-c", "TABLE numbers", url], ["pg_dump", "--inserts", url]):
            ran = subprocess.run(
                [postgres.programs / command[0], *command[1:]], capture_output=True, text=True, check=True, timeout=60
            )
            assert "41" in ran.stdout


class TestBroken:
    def test_what_is_committed_outlives_a_kill(self, server: PostgresServer) -> None:
        url = _with_rows(server, 1)
        for number in (2, 3):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("INSERT INTO numbers VALUES (%s)", [number])
                server.kill()
                assert server.processes() == []
                with pytest.raises(psycopg.OperationalError):
                    connection.execute("SELECT 1")
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(url)
            assert server.start() > 0
            assert _numbers(server, url) == list(range(1, number + 1))
        assert "was not properly shut down" in server.log_tail(100_000)

    def test_kill_of_one_backend_cuts_all_connections(self, server: PostgresServer) -> None:
        url = _with_rows(server, 1)
        with psycopg.connect(url) as victim, psycopg.connect(url) as other:
            pid = victim.info.backend_pid
            # Those of statements before may still be about to end.
            assert {pid, other.info.backend_pid} <= set(server.backends(url))
            assert not {pid, other.info.backend_pid} & set(server.backends(server.url))
            server.kill_backend(pid)
            with pytest.raises(psycopg.OperationalError):
                other.execute("SELECT pg_sleep(30)")
        server.wait_until_ready()
        assert _numbers(server, url) == [1]
        with pytest.raises(RuntimeError, match="no process of this server"):
            server.kill_backend(1)

    def test_server_that_hangs_goes_on(self, server: PostgresServer) -> None:
        with psycopg.connect(server.url, autocommit=True) as connection:
            server.signal_all(signal.SIGSTOP)
            connection.pgconn.send_query(b"SELECT 1")
            connection.pgconn.consume_input()
            assert connection.pgconn.is_busy()
            server.signal_all(signal.SIGCONT)
            assert connection.pgconn.get_result().get_value(0, 0) == b"1"
            assert connection.pgconn.get_result() is None

    def test_settings_may_change_between_starts(self, server: PostgresServer) -> None:
        assert server.query("SHOW checkpoint_timeout") == [("1h",)]
        url = _with_rows(server, 1)
        server.settings |= {"synchronous_commit": "off", "checkpoint_timeout": "2h"}
        server.restart()
        assert server.query("SHOW synchronous_commit", url=url) == [("off",)]
        assert server.query("SHOW checkpoint_timeout", url=url) == [("2h",)]
        assert _numbers(server, url) == [1]

    def test_failure_to_start_shows_the_log(self, server: PostgresServer) -> None:
        server.stop()
        server.settings["no_such_setting"] = 1
        with pytest.raises(RuntimeError, match=r"(?s)does not run:.*no_such_setting"):
            server.start()


def test_nothing_is_left_behind() -> None:
    with postgres_server() as server:
        pids = server.processes()
        assert len(pids) > 3
    assert not server.data.exists()
    # Where nobody collects the dead, their entries stay, with no command.
    commands = [Path(f"/proc/{pid}/cmdline") for pid in pids]
    assert [path.read_bytes() for path in commands if path.exists() and path.read_bytes()] == []
