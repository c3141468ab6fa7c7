"""Copying a log: what is refused, what is found, and going on after what is there."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from indelible.core.copy import CopyReport, copy_log, verify_copy
from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.core.verify import Damage, verify
from indelible.engines.engine import Lines
from indelible.engines.memory import MemoryEngine
from indelible.errors import InvalidRequest, PayloadTooLarge, StorageFailure, StorageFull, StoreCorrupted
from indelible.events import HASH_BEFORE_FIRST, NewEvent, RecordedEvent, decode_events
from indelible.limits import EVENT_SIZE_BYTES_MAX, RECORDED_EVENTS_MAX, RECORDED_SIZE_BYTES_MAX
from indelible.queries import EventQuery

EVENTS = 10_500  # three lots, eleven pages


async def filled(events: int = EVENTS, engine: MemoryEngine | None = None) -> LocalEventStore:
    store = LocalEventStore(engine or MemoryEngine())
    for first in range(0, events, 100):
        some = [NewEvent("Counted", {"n": n}, tags=["żółw"]) for n in range(first, min(first + 100, events))]
        await store.append("counter", str(first % 700), some)
    return store


async def lines(store: LocalEventStore) -> list[bytes]:
    found: list[bytes] = []
    page = await store.read_feed(limit=1_000)
    while page.lines:
        found += page.lines.split(b"\n")
        page = await store.read_feed(after=page.cursor, limit=1_000)
    return found


async def test_a_copy_is_equal_and_stays_equal(tmp_path: Path) -> None:
    source = await filled()
    async with open_local_store(f"sqlite:{tmp_path}/copy.db") as destination:
        seen: list[tuple[int, int]] = []
        report = await copy_log(source, destination, on_progress=lambda *now: seen.append(now))
        verified = await verify(source)
        assert report == CopyReport(EVENTS, 0, EVENTS, verified.hash, 0)
        assert seen == [(4_000, EVENTS), (8_000, EVENTS), (EVENTS, EVENTS)]
        await verify_copy(destination, report)
        assert await lines(destination) == await lines(source)
        assert await destination.aggregate_types() == await source.aggregate_types()

        assert await copy_log(source, destination) == CopyReport(0, EVENTS, EVENTS, verified.hash, 0)
        await source.append("counter", "0", [NewEvent("Counted")])
        caught_up = await copy_log(source, destination)
        assert (caught_up.copied, caught_up.already_there, caught_up.head) == (1, EVENTS, EVENTS + 1)
        await verify_copy(destination, caught_up)


async def test_an_empty_log_is_copied() -> None:
    source, destination = await filled(0), await filled(0)
    report = await copy_log(source, destination)
    assert report == CopyReport(0, 0, 0, HASH_BEFORE_FIRST.hex(), 0)
    await verify_copy(destination, report)


async def test_what_comes_meanwhile_is_left_and_counted() -> None:
    source, destination = await filled(), await filled(0)
    more: list[asyncio.Task[object]] = []

    def append_more(*_: int) -> None:
        more.append(asyncio.create_task(source.append("counter", "0", [NewEvent("Counted")])))

    report = await copy_log(source, destination, on_progress=append_more)
    await asyncio.gather(*more)
    assert (report.head, (await destination.head()).position) == (EVENTS, EVENTS)
    assert 1 <= report.behind <= len(more)
    await verify_copy(destination, report)
    assert (await copy_log(source, destination)).copied == len(more)


async def test_large_events_make_smaller_lots() -> None:
    source = LocalEventStore(MemoryEngine())
    for n in range(20):
        await source.append("photo", str(n), [NewEvent("Taken", bytes([n]) * (EVENT_SIZE_BYTES_MAX - 10))])
    engine = Counting()
    report = await copy_log(source, LocalEventStore(engine))
    assert (report.copied, sum(map(len, engine.lots))) == (20, 20)
    assert max(sum(event.size_bytes for event in lot) for lot in engine.lots) <= RECORDED_SIZE_BYTES_MAX
    assert len(engine.lots) == 3


class Counting(MemoryEngine):
    """Knows which lots it was given; can be full after some."""

    def __init__(self, full_after: int | None = None) -> None:
        super().__init__()
        self.lots: list[Sequence[RecordedEvent]] = []
        self.full_after = full_after

    async def append_recorded(self, events: Sequence[RecordedEvent]) -> None:
        if self.full_after is not None and len(self.lots) >= self.full_after:
            raise StorageFull("no space is left; nothing was stored", retry_after_s=1)
        self.lots.append(events)
        await super().append_recorded(events)


async def test_a_copy_that_failed_goes_on_where_it_ended() -> None:
    source, engine = await filled(), Counting(full_after=1)
    destination = LocalEventStore(engine)
    with pytest.raises(StorageFull):
        await copy_log(source, destination)
    assert (await destination.head()).position == 4_000
    engine.full_after = None
    report = await copy_log(source, destination)
    assert (report.copied, report.already_there) == (EVENTS - 4_000, 4_000)
    assert await lines(destination) == await lines(source)


async def test_a_cancelled_copy_leaves_a_sound_store_that_is_closed(tmp_path: Path) -> None:
    source, url = await filled(), f"sqlite:{tmp_path}/copy.db"
    async with open_local_store(url) as destination:
        task = asyncio.create_task(copy_log(source, destination, on_progress=lambda *_: task.cancel() and None))
        with pytest.raises(asyncio.CancelledError):
            await task
    async with open_local_store(url) as destination:
        there = (await destination.head()).position
        assert 4_000 <= there < EVENTS
        report = await copy_log(source, destination)
        assert (report.copied, report.already_there) == (EVENTS - there, there)
        await verify_copy(destination, report)


@pytest.mark.parametrize("position", [1, 500, 1_234])
async def test_another_log_is_refused_by_the_first_position_that_differs(position: int) -> None:
    source, destination = await filled(3_000), await filled(0)
    first = await lines(source)
    await destination.append_recorded(decode_events(b"\n".join(first[: position - 1])))
    for _ in range(1_235 - position):
        await destination.append("counter", "x", [NewEvent("Else")])
    before = await lines(destination)
    with pytest.raises(InvalidRequest) as caught:
        await copy_log(source, destination)
    assert (caught.value.pointer, caught.value.fields["position"]) == ("/to", position)
    assert "Else of counter-x, version 1" in caught.value.message
    assert "Counted of counter-" in caught.value.message
    assert await lines(destination) == before


async def test_a_destination_that_has_more_is_refused() -> None:
    source, destination = await filled(200), await filled(300)
    with pytest.raises(InvalidRequest, match="holds 300 events, more than the source, which has 200") as caught:
        await copy_log(source, destination)
    assert caught.value.fields["position"] == 201


class Damaged(MemoryEngine):
    """Serves one line other than it was written."""

    def __init__(self, position: int, change: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self._position = position
        self._change = change

    async def read_feed(self, query: EventQuery, *, after: int, **more: Any) -> Lines:
        page = await super().read_feed(query, after=after, **more)
        found = page.lines.split(b"\n")
        if after < self._position <= after + len(found):
            found[self._position - after - 1] = self._change(found[self._position - after - 1])
        return Lines(b"\n".join(found), page.count, page.reached, page.at_end)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda line: line.replace(b'"n":', b'"m":'), "has the hash"),
        (lambda line: line.replace(b'"n":', b'"n"\n:'), "line end"),
        (lambda _: b"", "is missing"),
    ],
)
async def test_damage_of_the_source_is_not_copied(change: Callable[[bytes], bytes], reason: str) -> None:
    source, destination = await filled(engine=Damaged(9_500, change)), await filled(0)
    with pytest.raises(StoreCorrupted, match="the source is damaged: the event at position 9500") as caught:
        await copy_log(source, destination)
    assert (caught.value.fields, reason in caught.value.message) == ({"position": 9_500}, True)
    report = await verify(destination)
    assert (report.damage, report.head) == (None, 9_000)


async def test_damage_of_the_copy_is_found() -> None:
    source = await filled(3_000)
    destination = LocalEventStore(Damaged(2_345, lambda line: line.replace(b'"n":', b'"m":')))
    report = await copy_log(source, destination)
    with pytest.raises(StoreCorrupted, match="the copy is damaged: the event at position 2345") as caught:
        await verify_copy(destination, report)
    assert caught.value.fields == {"position": 2_345}
    assert isinstance((await verify(destination)).damage, Damage)


async def test_a_copy_that_ends_elsewhere_is_found() -> None:
    source, destination = await filled(300), await filled(0)
    report = await copy_log(source, destination)
    await destination.append("counter", "0", [NewEvent("Counted")])
    with pytest.raises(StoreCorrupted, match="ends at position 301"):
        await verify_copy(destination, report)


async def test_lots_are_bounded() -> None:
    events = decode_events(b"\n".join(await lines(await filled(RECORDED_EVENTS_MAX + 1))))
    store = await filled(0)
    with pytest.raises(PayloadTooLarge) as caught:
        await store.append_recorded(events)
    assert caught.value.fields["events_max"] == RECORDED_EVENTS_MAX
    await store.append_recorded(events[:-1])
    source = await filled(0)
    for n in range(9):
        await source.append("photo", str(n), [NewEvent("Taken", bytes(EVENT_SIZE_BYTES_MAX - 10))])
    with pytest.raises(PayloadTooLarge) as caught:
        await (await filled(0)).append_recorded(decode_events(b"\n".join(await lines(source))))
    assert caught.value.fields["size_bytes_max"] == RECORDED_SIZE_BYTES_MAX


class Crowded(MemoryEngine):
    """Cannot read more than one event at a time."""

    async def read_feed(self, *args: Any, limit: int, **options: Any) -> Lines:
        if limit > 1:
            raise StorageFailure("too much")
        return await super().read_feed(*args, limit=limit, **options)


async def test_events_that_can_only_be_read_alone_are_not_missing() -> None:
    report = await verify(await filled(20, Crowded()))
    assert report.damage == Damage(
        1, "cannot be read: too much (only when read together with those after it, 20 in all)"
    )
