"""A server that is frozen while it holds the log's end: the others go on, and it finds its way when it thaws."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from faults.ledger import Entry, Ledger, attempt
from faults.load import Load
from faults.server_process import ServerProcess, server_process
from indelible.client import AsyncClient
from indelible.conditions import AppendCondition
from indelible.core.open import open_local_store
from indelible.engines.planner import Plan, plan_in_parts
from indelible.engines.postgres import writer
from indelible.errors import OutcomeUnknown, Unavailable
from indelible.eventstore import AggregateAppend, AppendResult, EventStore
from indelible.limits import DATABASE_IDLE_TIMEOUT_S
from indelible.queries import QueryItem
from indelible.testing.conformance.helpers import some_events
from postgres.server import PostgresServer
from postgres.troubles import ask

FROZEN_WITHIN_S = 240.0
MARGIN_S = 15.0
"""Of a busy machine; an idle one needs none of it."""


@pytest.mark.parametrize("condition", [None, AppendCondition((QueryItem(("Noticed",)),))], ids=["plain", "condition"])
async def test_the_database_takes_the_head_from_a_frozen_process(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, condition: AppendCondition | None
) -> None:
    """Whatever its last question was. Its append is answered all the same."""
    url = postgres.new_database()

    def freeze_and_plan(*arguments: Any) -> Iterator[Plan]:
        monkeypatch.undo()  # once is enough
        _wait_for_head(url)
        return plan_in_parts(*arguments)

    async with open_local_store(url) as store:
        await store.append("order", "1", some_events(1))
        monkeypatch.setitem(writer.TIMEOUT_VALUES, "idle", "300ms")
        monkeypatch.setattr(writer, "plan_in_parts", freeze_and_plan)
        append = AggregateAppend.of("order", "1", some_events(2), expected_version=1)
        result = await store.append_atomic([append], condition=condition)
        assert (result.results[0].version, result.replayed) == (3, False)


async def test_the_database_takes_the_head_from_a_process_that_freezes_between_parts(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.new_database()

    def plan_and_freeze(*arguments: Any) -> Iterator[Plan]:
        monkeypatch.undo()
        parts = plan_in_parts(*arguments)
        yield next(parts)
        _wait_for_head(url)
        yield from parts

    async with open_local_store(url) as store:
        await store.append("order", "1", some_events(1))
        monkeypatch.setitem(writer.TIMEOUT_VALUES, "idle", "300ms")
        monkeypatch.setattr(writer, "DATABASE_PART_EVENTS", 1)
        monkeypatch.setattr(writer, "plan_in_parts", plan_and_freeze)
        results = await store.append_each([AggregateAppend.of("order", "1", some_events(2)) for _ in range(3)])
        assert [result.version for result in results if isinstance(result, AppendResult)] == [3, 5, 7]


def _wait_for_head(url: str) -> None:
    """Holds up the event loop until then."""
    with psycopg.connect(url) as other:
        other.execute("SET lock_timeout = '10s'")
        other.execute("SELECT FROM indelible.heads FOR UPDATE")


async def test_a_frozen_server_does_not_stop_the_others(postgres: PostgresServer, tmp_path: Path) -> None:
    url, ledger = postgres.new_database(), Ledger()
    load = Load(ledger)
    async with (
        server_process(url, log=tmp_path / "one.log") as one,
        server_process(url, log=tmp_path / "other.log") as other,
        AsyncClient(one.url, retry_total_s=0) as client,
        AsyncClient(other.url, retry_total_s=0) as client_of_other,
    ):
        loading = asyncio.create_task(load.run(client))
        holding = await freeze_within_a_transaction(one, postgres, url)
        try:
            began = time.monotonic()
            async with asyncio.timeout(DATABASE_IDLE_TIMEOUT_S + MARGIN_S):
                for _ in range(3):
                    await append_one(ledger, client_of_other)
            print(f"others went on after {time.monotonic() - began:.1f} s")
            assert holding not in await asyncio.to_thread(postgres.backends, url), "it held nothing up"
        finally:
            os.kill(one.pid, signal.SIGCONT)
        began = time.monotonic()
        async with asyncio.timeout(MARGIN_S):
            await append_one(ledger, client)
        print(f"serves {time.monotonic() - began:.2f} s after it thawed")
        load.stop()
        assert all(isinstance(error, (OutcomeUnknown, Unavailable)) for error in await loading)
        await ledger.settle(client)
        assert await ledger.check(client_of_other) > 5


def small(ledger: Ledger) -> Entry:
    return ledger.open([AggregateAppend.of("order", "1", some_events(1))], atomic=False)


async def append_one(ledger: Ledger, store: EventStore) -> None:
    """And others, until one is acknowledged."""
    while await attempt(ledger, store, small(ledger)) is not None:  # noqa: ASYNC110 - no event tells it
        await asyncio.sleep(0.05)


async def freeze_within_a_transaction(server: ServerProcess, postgres: PostgresServer, url: str) -> int:
    """Stop the process again and again, until it is between its two round trips. The id of the database's process that
    then waits for it."""
    sql = """
        SELECT pid, state_change::text FROM pg_stat_activity
        WHERE datname = current_database() AND state = 'idle in transaction' AND wait_event = 'ClientRead'
    """
    give_up_at = time.monotonic() + FROZEN_WITHIN_S
    while time.monotonic() < give_up_at:
        os.kill(server.pid, signal.SIGSTOP)
        # Twice: what was under way in the database may only just be about to end.
        before = await ask(postgres, sql, url=url)
        await asyncio.sleep(0.02)
        if before and await ask(postgres, sql, url=url) == before:
            return int(before[0][0])
        os.kill(server.pid, signal.SIGCONT)
        await asyncio.sleep(0.01)
    raise AssertionError("it never stood still while it held the head")
