"""Makes trouble inside a database: in the transactions of an append, and in its waits."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from faults.ledger import Ledger
from indelible.engines.postgres.connections import parse_address
from postgres.server import PostgresServer

Phase = Literal["statement", "commit"]
_TRIGGERS: Final[dict[Phase, str]] = {
    "statement": "CREATE TRIGGER trouble BEFORE UPDATE",
    # Runs when COMMIT begins, while the transaction holds all its locks.
    "commit": "CREATE CONSTRAINT TRIGGER trouble AFTER UPDATE",
}
_WHEN: Final[dict[Phase, str]] = {"statement": "", "commit": "DEFERRABLE INITIALLY DEFERRED"}
_DEFAULTS: Final = {"synchronous_standby_names": "", "synchronous_commit": "on"}
WAIT_MAX_S: Final = 120.0

SLEEP: Final = "PERFORM pg_sleep(60)"
SERIALIZATION_FAILURE: Final = "RAISE EXCEPTION 'no order is left' USING ERRCODE = '40001'"
DEADLOCK: Final = "RAISE EXCEPTION 'one of us must give way' USING ERRCODE = '40P01'"


@asynccontextmanager
async def trouble(server: PostgresServer, url: str, phase: Phase, what: str, *, times: int = 1) -> AsyncIterator[None]:
    """The next ``times`` transactions that advance the head run ``what`` (PL/pgSQL), within the statement that does so
    or within COMMIT."""
    heads = f"{parse_address(url).schema}.heads"
    # A sequence counts on when the transaction is undone.
    await ask(server, "CREATE SEQUENCE troubles", url=url)
    await ask(
        server,
        f"CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF nextval('public.troubles') <= {times} THEN {what}; END IF; RETURN new; END $$",
        url=url,
    )
    await ask(server, f"{_TRIGGERS[phase]} ON {heads} {_WHEN[phase]} FOR EACH ROW EXECUTE FUNCTION trouble()", url=url)
    try:
        yield
    finally:
        await ask(server, "DROP FUNCTION trouble() CASCADE", url=url)
        await ask(server, "DROP SEQUENCE troubles", url=url)


async def ask(
    server: PostgresServer, sql: str, parameters: Sequence[object] = (), *, url: str | None = None
) -> list[tuple[Any, ...]]:
    """As :meth:`PostgresServer.query`, while stores in this loop go on: they may hold what it waits for."""
    return await asyncio.to_thread(server.query, sql, parameters, url=url)


async def backend_that_waits(server: PostgresServer, url: str, event: str) -> int:
    """The process id of a connection to a database that waits for something (``wait_event`` of ``pg_stat_activity``),
    once there is one."""
    sql = "SELECT pid FROM pg_stat_activity WHERE wait_event = %s AND datname = current_database()"
    give_up_at = time.monotonic() + WAIT_MAX_S
    while time.monotonic() < give_up_at:
        for (pid,) in await ask(server, sql, [event], url=url):
            return int(pid)
        await asyncio.sleep(0.02)
    raise AssertionError(f"nobody waits for {event}")


async def acknowledged(ledger: Ledger, count: int, loading: "asyncio.Task[Any]") -> None:
    """Once so many appends of a load are: how long a busy machine takes for them, nobody knows."""
    async with asyncio.timeout(WAIT_MAX_S):
        while len(ledger.acknowledged) < count:
            assert not loading.done(), loading.result()
            await asyncio.sleep(0.01)


async def set_for_all(server: PostgresServer, setting: str, value: str | None) -> None:
    """Change a setting of the running server, for its connections too; None is what it is by default."""
    change = f"SET {setting} = '{value}'" if value is not None else f"RESET {setting}"
    await ask(server, f"ALTER SYSTEM {change}")
    await ask(server, "SELECT pg_reload_conf()")
    give_up_at = time.monotonic() + WAIT_MAX_S
    while (await ask(server, f"SHOW {setting}"))[0][0] != (value or _DEFAULTS[setting]):
        assert time.monotonic() < give_up_at, f"{setting} is not in force"
        await asyncio.sleep(0.02)
    # Commits wait for a standby, or do so no more, once the process that makes checkpoints has heard of it.
    await ask(server, "CHECKPOINT")
