"""Event ids are unique within a partition alone: of two events with one id in different partitions neither hides the
other from searches, nor comes to those who may read the other only."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from indelible import NewEvent, RecordedEvent, SearchQuery
from indelible.access import Grant
from indelible.core.authorised_store import AuthorisedStore
from indelible.core.partitions.store import PartitionedStore
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import IndexMismatch, StoreCorrupted
from indelible.events import AggregateKey
from indelible.indexes.indexer import Indexer
from indelible.indexes.log_lines import LogLine, lines_of
from indelible.indexes.searching import SearchingStore
from indexes.troubled import FIELDS, TroubledIndex, has_come_to_the_head, running, until
from opaque_stores import merged_store

ONE_ID = UUID("0192d3a0-0000-7000-8000-000000000001")


class Two:
    """A log of two partitions, and in each an event of the same id: a salary and a note."""

    def __init__(self, log: PartitionedStore) -> None:
        self.log = log
        self.index = TroubledIndex()
        self.searching = SearchingStore(log, self.index, FIELDS)

    async def fill(self) -> None:
        homes = [self._in_partition(aggregate_type, n) for n, aggregate_type in enumerate(("salary", "note"))]
        for aggregate_type, aggregate_id in homes:
            await self.log.append(aggregate_type, aggregate_id, [NewEvent("Written", {"n": 1}, event_id=ONE_ID)])

    def _in_partition(self, aggregate_type: str, partition: int) -> tuple[str, str]:
        ids = (str(n) for n in range(100) if self.log.partition_of(aggregate_type, str(n)) == partition)
        return aggregate_type, next(ids)

    async def catch_up(self) -> None:
        async with running(Indexer(self.log, self.index, FIELDS)):
            await until(has_come_to_the_head(self.log, self.index))

    async def seen(self, *grants: str) -> list[str]:
        """The types of what somebody finds who has only these grants, or all."""
        store = AuthorisedStore(self.searching, [Grant.parse(one) for one in grants or ("read:*", "admin:*")])
        found: list[RecordedEvent] = []
        page = await store.search(SearchQuery(), limit=1)
        found += page.events
        while page.cursor is not None:
            page = await store.search(SearchQuery(), limit=1, cursor=page.cursor)
            found += page.events
        assert {one.event_id for one in found} <= {ONE_ID}
        return [one.aggregate_type for one in found]


@pytest.fixture
async def two() -> AsyncIterator[Two]:
    async with merged_store(may_make=False) as log:
        two = Two(log)
        await two.fill()
        yield two


async def test_both_are_found_each_by_whoever_may_read_it(two: Two) -> None:
    await two.catch_up()
    assert await two.seen() == ["note", "salary"]
    assert await two.seen("read:note") == ["note"]
    assert await two.seen("read:salary") == ["salary"]
    page = await two.searching.search(SearchQuery(aggregate_types=("salary",)))
    assert [one.aggregate_type for one in page.events] == ["salary"]
    assert (await two.searching.index.status()).serving.documents == 2


async def test_what_the_log_does_not_let_a_caller_read_is_left_out(two: Two) -> None:
    """Whatever the index says of an event: here, that the salary is a note."""
    await two.catch_up()
    documents = two.index._documents[1]
    (salary,) = [one for one in documents.values() if one.aggregate.aggregate_type == "salary"]
    documents[salary.place] = salary._replace(aggregate=AggregateKey("note", "1"))
    assert await two.seen("read:note") == ["note"]


async def test_those_that_are_refused_are_tried_again_each_for_itself(two: Two) -> None:
    two.index.refused = {1}
    await two.catch_up()
    assert await two.seen() == []
    info = await two.searching.index.status()
    assert [one.event_id for one in info.rejected] == [ONE_ID, ONE_ID]
    two.index.refused = set()
    assert (await two.searching.index.retry()).rejected_count == 0
    assert await two.seen() == ["note", "salary"]


async def test_a_line_at_another_place_is_another_event(two: Two) -> None:
    await two.catch_up()
    place, other = two.index._documents[1]
    assert [one.aggregate_type for one in await lines_of(two.log, [other, place])] == ["note", "salary"]
    for moved in (place._replace(position=9), place._replace(timestamp_us=place.timestamp_us + 1)):
        with pytest.raises(IndexMismatch, match=str(ONE_ID)):
            await lines_of(two.log, [place, moved])


async def test_where_a_line_says_that_its_event_stands() -> None:
    name = 'a"b\\c","position":7,"timestamp":"2026",'
    async with LocalEventStore(MemoryEngine()) as log:
        await log.append(name, name, [NewEvent(name, {"aggregate_type": "x"}, metadata={"position": 3})])
        page = await log.read_feed()
    (event,) = page.events
    found = LogLine.of(page.lines)
    assert (found.aggregate_type, found.position) == (name, 1)
    with pytest.raises(StoreCorrupted):
        LogLine.of(page.lines.replace(b'"position"', b'"place"'))
    with pytest.raises(StoreCorrupted):
        LogLine.of(page.lines.replace(str(event.timestamp.year).encode(), b"year"))
