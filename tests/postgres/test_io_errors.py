"""I/O errors of the database's log, when it commits: no wrong acknowledgement, and no duplicate after the retry."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.injected import failing, needs_strace
from faults.ledger import Ledger
from faults.load import Load
from faults.server_process import server_process
from indelible.client import AsyncClient
from indelible.errors import OutcomeUnknown, Unavailable
from postgres.server import PostgresServer, postgres_server
from postgres.troubles import WAIT_MAX_S, acknowledged, ask

pytestmark = needs_strace
ROUNDS = 2


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server({"checkpoint_timeout": "1h"}) as server:
        yield server


@pytest.mark.parametrize("calls", ["fsync,fdatasync", "pwrite64"])
async def test_commits_that_meet_an_io_error(server: PostgresServer, tmp_path: Path, calls: str) -> None:
    """PostgreSQL then ends all its processes and reads its log again: what nobody was told of may be there or not."""
    url = server.new_database()
    ledger = Ledger()
    load = Load(ledger)
    async with (
        server_process(url, log=tmp_path / "server.log") as serving,
        AsyncClient(serving.url, retry_total_s=0) as client,
    ):
        for number in range(ROUNDS):
            panics = panics_of(server)
            loading = asyncio.create_task(load.run(client))
            # By now the server has the connection that it writes over.
            await acknowledged(ledger, len(ledger.acknowledged) + 30, loading)
            wal = server.data / "pg_wal" / (await ask(server, "SELECT pg_walfile_name(pg_current_wal_lsn())"))[0][0]
            log = tmp_path / f"{number}.strace"
            async with failing(server.backends(url), calls, path=wal, when="1", log=log):
                await asyncio.to_thread(wait_for_panic, server, panics)
            await asyncio.to_thread(server.wait_until_ready)
            load.stop()
            errors = await loading
            assert all(isinstance(error, (OutcomeUnknown, Unavailable)) for error in errors), errors
            assert "INJECTED" in log.read_text()
            await ledger.settle(client)
        assert await ledger.check(client) > 50


def wait_for_panic(server: PostgresServer, panics: int) -> None:
    """Another than those that there were."""
    give_up_at = time.monotonic() + WAIT_MAX_S
    while panics_of(server) == panics:
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def panics_of(server: PostgresServer) -> int:
    return server.log_tail(10_000_000).count("PANIC")
