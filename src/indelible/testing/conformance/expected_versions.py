"""expected_version is checked and applied in one serial order."""

import asyncio

import pytest

from indelible.conditions import ExpectedVersion
from indelible.errors import AggregateNotFound, VersionConflict
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend, AppendResult, EventStore
from indelible.testing.conformance.helpers import new_names, read_aggregate_to_end, refused, some_events, unique


@pytest.mark.asyncio
class ExpectedVersionConformance:
    @pytest.mark.parametrize(
        ("version", "expected"),
        [(0, 0), (0, "none"), (0, "any"), (3, 3), (3, "exists"), (3, "any"), (1, "exists")],
    )
    async def test_expected_version_met(self, store: EventStore, version: int, expected: ExpectedVersion) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        if version:
            await store.append(aggregate_type, aggregate_id, some_events(version))
        result = await store.append(aggregate_type, aggregate_id, some_events(2), expected_version=expected)
        assert result.version == version + 2

    @pytest.mark.parametrize(
        ("version", "expected"),
        [(0, 1), (0, "exists"), (0, 2**53 - 1), (3, 0), (3, "none"), (3, 2), (3, 4), (3, 2**53 - 1)],
    )
    async def test_expected_version_missed(self, store: EventStore, version: int, expected: ExpectedVersion) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        if version:
            await store.append(aggregate_type, aggregate_id, some_events(version))
        head = await store.head()
        error = await refused(
            VersionConflict, store.append(aggregate_type, aggregate_id, some_events(2), expected_version=expected),
            aggregate_type=aggregate_type, aggregate_id=aggregate_id, expected_version=expected, actual_version=version,
        )  # fmt: skip
        assert (error.expected_version, error.actual_version) == (expected, version)
        assert await store.head() == head
        if version:
            assert (await store.get_aggregate(aggregate_type, aggregate_id)).version == version
        else:
            call = store.get_aggregate(aggregate_type, aggregate_id)
            await refused(AggregateNotFound, call, aggregate_type=aggregate_type, aggregate_id=aggregate_id)

    async def test_first_missed_version_of_an_atomic_append_is_named(self, store: EventStore) -> None:
        aggregate_type = unique("Order")
        names = await new_names(store, aggregate_type, 3)
        appends = [AggregateAppend.of(aggregate_type, n, some_events(1), expected_version=v)
                   for n, v in zip(names, (0, 5, 7), strict=True)]  # fmt: skip
        await refused(
            VersionConflict, store.append_atomic(appends),
            aggregate_type=aggregate_type, aggregate_id=names[1], expected_version=5, actual_version=0,
        )  # fmt: skip

    async def test_of_racing_appends_one_wins(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        for version in range(3):
            appends = [
                store.append(aggregate_type, aggregate_id, [NewEvent("Raced")], expected_version=version)
                for _ in range(10)
            ]
            results = await asyncio.gather(*appends, return_exceptions=True)
            won = [result for result in results if isinstance(result, AppendResult)]
            lost = [result for result in results if isinstance(result, VersionConflict)]
            assert (len(won), len(lost)) == (1, 9)
            assert won[0].version == version + 1
            assert {error.actual_version for error in lost} == {version + 1}
        assert len(await read_aggregate_to_end(store, aggregate_type, aggregate_id)) == 3

    async def test_of_racing_atomic_appends_one_wins(self, store: EventStore) -> None:
        aggregate_type = unique("Order")
        one, other = await new_names(store, aggregate_type, 2)

        def both(first: str, second: str) -> list[AggregateAppend]:
            return [AggregateAppend.of(aggregate_type, name, some_events(1), expected_version="none")
                    for name in (first, second)]  # fmt: skip

        calls = [store.append_atomic(both(*((one, other) if n % 2 else (other, one)))) for n in range(10)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(result, VersionConflict) for result in results) == 9
        for name in (one, other):
            assert (await store.get_aggregate(aggregate_type, name)).version == 1

    async def test_racing_counters_lose_no_step(self, store: EventStore) -> None:
        """Readers that write what they read, and try again when they lost, count without a loss."""
        aggregate_type, aggregate_id = unique("Counter"), unique()
        await store.append(aggregate_type, aggregate_id, [NewEvent("Counted", 0)])

        async def count() -> None:
            for _ in range(5):
                while True:
                    page = await store.read_aggregate(aggregate_type, aggregate_id, direction="backward", limit=1)
                    event = NewEvent("Counted", page.events[0].event_data + 1)
                    try:
                        await store.append(aggregate_type, aggregate_id, [event], expected_version=page.version)
                        break
                    except VersionConflict:
                        continue

        await asyncio.gather(*(count() for _ in range(4)))
        events = await read_aggregate_to_end(store, aggregate_type, aggregate_id)
        assert [event.event_data for event in events] == list(range(21))
