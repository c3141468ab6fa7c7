"""State from snapshot and events."""

import asyncio
from dataclasses import asdict, dataclass, field

import pytest

from indelible import AggregateNotFound, AsyncClient, InvalidRequest, NewEvent, RecordedEvent, SnapshotNotFound
from indelible.client import repository
from indelible.errors import Forbidden, IndelibleError, OutcomeUnknown, Overloaded, PayloadTooLarge
from indelible.limits import SNAPSHOT_SIZE_BYTES_MAX


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


@pytest.mark.parametrize(
    "error",
    [Overloaded("busy"), OutcomeUnknown("cut off"), Forbidden("may only read"), PayloadTooLarge("8 MiB at most")],
    ids=lambda error: error.code,
)
async def test_a_snapshot_that_is_not_taken_costs_nothing_but_itself(
    event_store: AsyncClient, monkeypatch, caplog: pytest.LogCaptureFixture, error: IndelibleError
):
    async def refuse(self, *args, **kwargs):
        raise error

    monkeypatch.setattr(AsyncClient, "save_snapshot", refuse)
    monkeypatch.setattr(repository, "_told", set())
    repositories = [
        event_store.repository(kind, lambda count, _: count + 1, int, snapshot_every=1) for kind in ("Account", "Bill")
    ]
    for count in (1, 2, 3):
        for each in repositories:
            await each.update("1", lambda _: NewEvent("Counted"))
            assert (await each.load("1")).state == count
    logged = [record for record in caplog.records if record.name == "indelible.client.repository"]
    assert [record.args[0] for record in logged] == ["Account", "Bill"]
    assert error.message in logged[0].getMessage()


async def test_a_state_that_is_too_large_for_a_snapshot(event_store: AsyncClient):
    longest = event_store.repository("Long", lambda _, event: "x" * event.event_data, str, snapshot_every=1)
    await longest.update("1", lambda _: NewEvent("Grown", SNAPSHOT_SIZE_BYTES_MAX + 1))
    assert len((await longest.load("1")).state) == SNAPSHOT_SIZE_BYTES_MAX + 1
    with pytest.raises(SnapshotNotFound):
        await event_store.get_snapshot("Long", "1")


async def test_writers_do_not_disturb(event_store: AsyncClient):
    await deposit(event_store, 2000)
    rebuilding = event_store.rebuild("Account", "1", apply, Account())
    rebuilt, _ = await asyncio.gather(rebuilding, deposit(event_store, 10))
    assert rebuilt.state.seen == list(range(1, rebuilt.version + 1))
