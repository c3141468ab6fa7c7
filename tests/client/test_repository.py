"""Load, decide, save."""

import asyncio

import pytest

from indelible import (
    AggregateNotFound,
    AsyncClient,
    InvalidRequest,
    NewEvent,
    RecordedEvent,
    Repository,
    VersionConflict,
)


def apply(balance: int, event: RecordedEvent) -> int:
    return balance + event.event_data


@pytest.fixture
def accounts(event_store: AsyncClient) -> Repository[int]:
    return event_store.repository("Account", apply, int, snapshot_every=5)


async def test_load_and_save(accounts: Repository[int]):
    assert await accounts.load("1") == (0, 0)
    saved = await accounts.save("1", [NewEvent("Deposited", 5), NewEvent("Deposited", 6)], expected_version=0)
    assert saved.version == 2
    state, version = await accounts.load("1")
    assert (state, version) == (11, 2)
    await accounts.save("1", [NewEvent("Withdrawn", -1)], expected_version=version)
    assert await accounts.load("1") == (10, 3)
    assert await accounts.load("1", at_version=1) == (5, 1)


async def test_two_that_decided_on_the_same_version(accounts: Repository[int]):
    _, version = await accounts.load("1")
    await accounts.save("1", [NewEvent("Deposited", 5)], expected_version=version)
    with pytest.raises(VersionConflict) as caught:
        await accounts.save("1", [NewEvent("Deposited", 6)], expected_version=version)
    assert (caught.value.expected_version, caught.value.actual_version) == (0, 1)
    assert await accounts.load("1") == (5, 1)


@pytest.mark.parametrize("version", ["any", None, -1, 1.0])
async def test_save_wants_a_version(accounts: Repository[int], version):
    with pytest.raises(InvalidRequest) as caught:
        await accounts.save("1", [NewEvent("Deposited", 5)], expected_version=version)
    assert caught.value.pointer == "/expected_version"


async def test_update_decides_anew_after_a_lost_race(accounts: Repository[int], event_store: AsyncClient):
    seen: list[int] = []
    interfering: list[asyncio.Task] = []

    def withdraw_all(balance: int) -> list[NewEvent]:
        seen.append(balance)
        if len(seen) == 1:
            deposit = event_store.append("Account", "1", [NewEvent("Deposited", 7)])
            interfering.append(asyncio.ensure_future(deposit))
        return [NewEvent("Withdrawn", -balance)]

    await accounts.save("1", [NewEvent("Deposited", 5)], expected_version=0)
    original = Repository.save

    async def save_after_the_other(self, *args, **kwargs):
        await interfering[0]
        return await original(self, *args, **kwargs)

    accounts.save = save_after_the_other.__get__(accounts)
    result = await accounts.update("1", withdraw_all)
    assert result is not None
    assert result.version == 3
    assert seen == [5, 12]
    assert await accounts.load("1") == (0, 3)


async def test_every_update_of_many_concurrent_ones_counts(accounts: Repository[int]):
    updates = [accounts.update("1", lambda balance: [NewEvent("Deposited", 1)], attempts_max=100) for _ in range(30)]
    await asyncio.gather(*updates)
    assert await accounts.load("1") == (30, 30)


async def test_update_gives_up(accounts: Repository[int]):
    calls = 0

    def decide(balance: int) -> list[NewEvent]:
        nonlocal calls
        calls += 1
        return [NewEvent("Deposited", 1)]

    async def lose(aggregate_id, events, *, expected_version):
        raise VersionConflict("lost", expected_version=expected_version, actual_version=expected_version + 1)

    accounts.save = lose
    with pytest.raises(VersionConflict):
        await accounts.update("1", decide, attempts_max=3)
    assert calls == 3


async def test_update_with_nothing_to_do(accounts: Repository[int]):
    assert await accounts.update("1", lambda balance: []) is None
    assert await accounts.load("1") == (0, 0)


async def test_what_decide_raises_comes_out(accounts: Repository[int]):
    def refuse(balance: int) -> list[NewEvent]:
        raise LookupError("not enough money")

    with pytest.raises(LookupError, match="not enough money"):
        await accounts.update("1", refuse)


async def test_each_load_starts_from_its_own_initial_state(event_store: AsyncClient):
    def add(seen: list[int], event: RecordedEvent) -> list[int]:
        seen.append(event.event_data)
        return seen

    lists = event_store.repository("List", add, list[int])
    await lists.save("1", [NewEvent("Added", 1)], expected_version=0)
    assert await lists.load("1") == await lists.load("1") == ([1], 1)


async def test_what_must_exist(accounts: Repository[int]):
    with pytest.raises(AggregateNotFound):
        await accounts.load("1", must_exist=True)
    with pytest.raises(AggregateNotFound):
        await accounts.update("1", lambda balance: [NewEvent("Deposited", 1)], must_exist=True)
    await accounts.update("1", lambda balance: [NewEvent("Deposited", 1)])
    await accounts.update("1", lambda balance: [NewEvent("Deposited", 1)], must_exist=True)
    assert await accounts.load("1", must_exist=True) == (2, 2)
