"""Callers that give up while their write is on its way to disk, or while the store is being opened."""

import asyncio
import threading
from pathlib import Path
from typing import Self
from uuid import uuid4

import msgspec
import pytest

from indelible.client import AsyncClient
from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.core.verify import verify
from indelible.engines.group_storage import GroupChange, StoredGroup
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.errors import ClientClosed, StoreLocked
from indelible.events import NewEvent
from indelible.groups import GroupSettings


async def test_a_cancelled_snapshot_leaves_the_store_to_others_only_once_it_is_written(tmp_path: Path) -> None:
    async with open_local_store(f"sqlite:{tmp_path / 'store.db'}") as store:
        await store.append("order", "1", [NewEvent("Opened", 0)])
        for version in range(2, 40):
            saving = asyncio.create_task(store.save_snapshot("order", "1", version=1, state={"version": version}))
            for _ in range(version % 12):
                await asyncio.sleep(0)
            await asyncio.sleep(0.0005 * (version % 3))
            saving.cancel()
            result = await store.append("order", "1", [NewEvent("Moved", version)])
            assert result.version == version
        await asyncio.gather(saving, return_exceptions=True)
        assert (await store.get_snapshot("order", "1")).version == 1
        assert (await verify(store)).damage is None


@pytest.mark.parametrize("may_hold_loop", [False, True])
async def test_cancelled_appends_are_stored_whole_or_not_at_all(tmp_path: Path, may_hold_loop: bool) -> None:
    async with open_local_store(f"sqlite:{tmp_path / 'store.db'}", may_hold_loop=may_hold_loop) as store:
        for number in range(40):
            events = [NewEvent("Opened", 0), NewEvent("Closed", 0)]
            appending = asyncio.create_task(store.append("order", str(number), events))
            for _ in range(number % 8):
                await asyncio.sleep(0)
            appending.cancel()
            await asyncio.gather(appending, return_exceptions=True)
            again = await store.append("order", str(number), events)  # same ids: the outcome was unknown
            assert [event.version for event in again.events] == [1, 2]
        assert (await store.head()).position == 80
        assert (await verify(store)).damage is None


async def test_a_cancelled_save_of_a_group_leaves_the_store_to_others_only_once_it_is_written(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "store.db")
    async with LocalEventStore(engine) as store:
        group = StoredGroup("billing", GroupSettings(), 1, 1, 0, 0, 0, uuid4())
        assert await engine.create_group(group, groups_max=1)
        for number in range(1, 40):
            then = msgspec.structs.replace(group, revision=group.revision + 1, reached=number)
            saving = asyncio.create_task(engine.save_group(GroupChange(group.revision, then)))
            for _ in range(number % 12):
                await asyncio.sleep(0)
            await asyncio.sleep(0.0005 * (number % 3))
            saving.cancel()
            assert (await store.append("order", "1", [NewEvent("Moved", number)])).version == number
            await asyncio.gather(saving, return_exceptions=True)
            state = await engine.load_group("billing")
            assert state is not None
            assert state.group in (group, then)
            group = state.group
        assert (await verify(store)).damage is None


class _HeldOpening:
    """The thread that opens a database for writing waits here: before it does, or once it has."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, is_after: bool) -> None:
        self.begun = threading.Event()
        self.may_go_on = threading.Event()
        open_writer = SqliteEngine._open_writer

        def held(engine: SqliteEngine, indexing: object) -> None:
            if is_after:
                open_writer(engine, indexing)  # type: ignore[arg-type]  # as it was given
            self.begun.set()
            self.may_go_on.wait(60)
            if not is_after:
                open_writer(engine, indexing)  # type: ignore[arg-type]  # as it was given

        monkeypatch.setattr(SqliteEngine, "_open_writer", held)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.may_go_on.set()


@pytest.mark.parametrize("is_after", [False, True])
async def test_a_store_whose_opening_was_cancelled_is_free_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_after: bool
) -> None:
    url = f"sqlite:{tmp_path / 'store.db'}"
    with _HeldOpening(monkeypatch, is_after=is_after) as held:
        opening = asyncio.create_task(open_local_store(url).open())
        await asyncio.to_thread(held.begun.wait, 60)
        opening.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await opening
    async with open_local_store(url) as store:
        await store.append("order", "1", [NewEvent("Opened", 0)])


@pytest.mark.parametrize("is_after", [False, True])
async def test_a_client_whose_first_call_was_cancelled_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_after: bool
) -> None:
    url = f"sqlite:{tmp_path / 'store.db'}"
    client = AsyncClient(url)
    with _HeldOpening(monkeypatch, is_after=is_after) as held:
        calling = asyncio.create_task(client.head())
        await asyncio.to_thread(held.begun.wait, 60)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        calling = asyncio.create_task(client.append("order", "1", [NewEvent("Opened", 0)]))
        await asyncio.sleep(0)
    assert (await calling).version == 1
    await client.aclose()
    async with AsyncClient(url) as again:
        assert (await again.head()).position == 1


@pytest.mark.parametrize("gives_up", [False, True])
async def test_a_client_that_is_closed_while_it_opens_lets_go_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gives_up: bool
) -> None:
    url = f"sqlite:{tmp_path / 'store.db'}"
    client = AsyncClient(url)
    with _HeldOpening(monkeypatch, is_after=True) as held:
        calling = asyncio.create_task(client.head())
        await asyncio.to_thread(held.begun.wait, 60)
        if gives_up:
            calling.cancel()
            await asyncio.wait({calling})
        closing = asyncio.create_task(client.aclose())
        await asyncio.sleep(0)
    await closing
    if not gives_up:  # what is in flight is finished
        assert (await calling).position == 0
    with pytest.raises(ClientClosed):
        await client.head()
    async with AsyncClient(url) as again:
        assert (await again.head()).position == 0


async def test_a_store_that_cannot_be_opened_is_tried_again_by_the_next_call(tmp_path: Path) -> None:
    async with open_local_store(f"sqlite:{tmp_path / 'store.db'}"):
        client = AsyncClient(f"sqlite:{tmp_path / 'store.db'}")
        for error in await asyncio.gather(client.head(), client.head(), return_exceptions=True):
            assert isinstance(error, StoreLocked)
    assert (await client.head()).position == 0
    await client.aclose()
