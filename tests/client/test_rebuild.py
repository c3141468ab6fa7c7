"""State from snapshot and events."""

import asyncio
from dataclasses import asdict, dataclass, field

import pytest

from indelible import AggregateNotFound, AsyncClient, InvalidRequest, NewEvent, RecordedEvent, SnapshotNotFound
from indelible.errors import Overloaded


@dataclass
class Account:
    balance: int = 0
    seen: list[int] = field(default_factory=list)


def apply(account: Account, event: RecordedEvent) -> Account:
    account.balance += event.event_data
    account.seen.append(event.version)
    return account


def decode(state: dict) -> Account:
    return Account(**state)


async def deposit(store: AsyncClient, count: int) -> None:
    await store.append("Account", "1", [NewEvent("Deposited", n) for n in range(count)])


async def test_the_same_with_and_without_snapshots(event_store: AsyncClient):
    for count in (1, 9, 1, 30, 10, 9, 1):
        await deposit(event_store, count)
        plain = await event_store.rebuild("Account", "1", apply, Account(), use_snapshots=False)
        aided = await event_store.rebuild(
            "Account", "1", apply, Account(), snapshot_every=10, encode=asdict, decode=decode
        )
        assert plain == aided
        assert plain.state.seen == list(range(1, plain.version + 1))


async def test_a_snapshot_is_saved_once_enough_events_came(event_store: AsyncClient):
    async def rebuild() -> int:
        rebuilt = await event_store.rebuild(
            "Account", "1", apply, Account(), snapshot_every=10, encode=asdict, decode=decode
        )
        return rebuilt.version

    await deposit(event_store, 9)
    assert await rebuild() == 9
    with pytest.raises(SnapshotNotFound):
        await event_store.get_snapshot("Account", "1")
    await deposit(event_store, 1)
    assert await rebuild() == 10
    snapshot = await event_store.get_snapshot("Account", "1")
    assert (snapshot.version, snapshot.state["balance"]) == (10, 36)
    await deposit(event_store, 9)
    await rebuild()
    assert (await event_store.get_snapshot("Account", "1")).version == 10


async def test_the_snapshot_is_what_the_fold_starts_from(event_store: AsyncClient):
    await deposit(event_store, 5)
    await event_store.save_snapshot("Account", "1", version=4, state={"balance": 1000, "seen": []})
    rebuilt = await event_store.rebuild("Account", "1", apply, Account(), decode=decode)
    assert rebuilt.state == Account(1004, [5])


async def test_more_events_than_a_page_holds(event_store: AsyncClient):
    await deposit(event_store, 2500)
    state, version = await event_store.rebuild("Account", "1", lambda seen, event: seen + 1, 0)
    assert (state, version) == (2500, 2500)
    assert (await event_store.rebuild("Account", "1", lambda seen, event: seen + 1, 0, at_version=2100)).state == 2100


async def test_at_every_version(event_store: AsyncClient):
    await deposit(event_store, 12)
    await event_store.save_snapshot("Account", "1", version=6, state=asdict(Account(15, list(range(1, 7)))))
    for version in range(1, 13):
        rebuilt = await event_store.rebuild("Account", "1", apply, Account(), at_version=version, decode=decode)
        assert rebuilt == (Account(sum(range(version)), list(range(1, version + 1))), version)


async def test_a_version_that_is_not_there_yet_gives_the_newest(event_store: AsyncClient):
    await deposit(event_store, 3)
    assert (await event_store.rebuild("Account", "1", apply, Account(), at_version=50)).version == 3


async def test_no_aggregate(event_store: AsyncClient):
    with pytest.raises(AggregateNotFound) as caught:
        await event_store.rebuild("Account", "9", apply, Account())
    assert caught.value.fields == {"aggregate_type": "Account", "aggregate_id": "9"}


@pytest.mark.parametrize("snapshot_every", [0, -1, 1.5, True])
async def test_bad_snapshot_every(event_store: AsyncClient, snapshot_every):
    with pytest.raises(InvalidRequest) as caught:
        await event_store.rebuild("Account", "1", apply, Account(), snapshot_every=snapshot_every)
    assert caught.value.pointer == "/snapshot_every"


async def test_a_state_that_is_not_json_is_refused_when_a_snapshot_is_due(event_store: AsyncClient):
    await deposit(event_store, 1)
    with pytest.raises(InvalidRequest) as caught:
        await event_store.rebuild("Account", "1", apply, Account(), snapshot_every=1)
    assert caught.value.pointer == "/state"


async def test_a_busy_store_costs_the_snapshot_not_the_state(event_store: AsyncClient, monkeypatch):
    async def refuse(self, *args, **kwargs):
        raise Overloaded("busy")

    await deposit(event_store, 3)
    monkeypatch.setattr(AsyncClient, "save_snapshot", refuse)
    rebuilt = await event_store.rebuild("Account", "1", apply, Account(), snapshot_every=1, encode=asdict)
    assert rebuilt.state.balance == 3


async def test_writers_do_not_disturb(event_store: AsyncClient):
    await deposit(event_store, 2000)
    rebuilding = event_store.rebuild("Account", "1", apply, Account())
    rebuilt, _ = await asyncio.gather(rebuilding, deposit(event_store, 10))
    assert rebuilt.state.seen == list(range(1, rebuilt.version + 1))
