"""What an import keeps of the log of another system, and what it says of the rest."""

import json
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from kurrentdbclient import RecordedEvent

from esdb.other_system import BEGIN, OtherSystem
from indelible.cli.esdb.digests import DigestedEvent, Digests
from indelible.cli.esdb.import_from import Verified, compare
from indelible.cli.esdb.importing import Importer
from indelible.cli.esdb.source import Source
from indelible.client.iterators import iterate_feed
from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.errors import InvalidRequest, VersionConflict
from indelible.events import NewEvent
from indelible.server.esdb.stream_metadata import metadata_shown, shown_of
from indelible.wire.esdb.payloads import payload_of
from indelible.wire.esdb.stream_names import stream_of


@pytest.fixture
async def store() -> AsyncIterator[LocalEventStore]:
    async with open_local_store("memory:") as store:
        assert isinstance(store, LocalEventStore)
        yield store


async def bring(store: LocalEventStore, there: OtherSystem, *excluded: str) -> tuple[Importer, Verified]:
    source = Source(there, "esdb://there", excluded)  # type: ignore[arg-type]  # it has what is read of a client
    importer = Importer(store, source)
    await importer.run(_ignore)
    return importer, await compare(store, source, importer, _ignore)


def _ignore(_done: int, total: int | None) -> None:
    pass


async def stored(store: LocalEventStore, stream: str | None = None) -> list[tuple[object, ...]]:
    """As those see it who read it over the wire."""
    streams = [(stream_of(event.aggregate_type, event.aggregate_id), event) async for event in iterate_feed(store)]
    return [
        (name, event.version - 1, event.event_id, event.event_type, payload_of(event)[:3])
        for name, event in streams
        if stream is None or name == stream
    ]


def there_too(events: list[RecordedEvent]) -> list[tuple[object, ...]]:
    return [
        (one.stream_name, one.stream_position, one.id, one.type, (one.data, one.metadata, one.content_type))
        for one in events
    ]


def varied(count: int) -> OtherSystem:
    there = OtherSystem()
    for n in range(count):
        form = n % 4
        data = (b'{"n":%d}' % n, b'{ "n" :%d}' % n, b'{"n": %d}' % n, b"\x00%d" % n)[form]
        there.add(
            f"order-{n % 7}", n // 7, data, event_type=f"Kind{n % 3}", metadata=(b"", b'{"by": "me"}', b"\xff")[n % 3],
            content_type="application/octet-stream" if form == 3 else "application/json",
        )  # fmt: skip
    return there


async def test_everything_is_kept(store: LocalEventStore) -> None:
    there = varied(400)
    importer, verified = await bring(store, there)
    assert await stored(store) == there_too(there.events)
    assert (importer.counts.imported, importer.position) == (400, 40_000)
    assert verified == Verified(400, 7, 0, 0, 0, 0, ())
    first = (await store.read_feed(limit=1)).events[0]
    mark = payload_of(first).mark
    assert (mark.created, mark.position) == (there.events[0].recorded_at, 100)
    assert first.timestamp > BEGIN


async def test_a_second_run_goes_on_after_the_first(store: LocalEventStore) -> None:
    there = varied(1_500)
    every = list(there.events)
    there.events = every[:1_234]
    await bring(store, there)
    there.events = every
    importer, verified = await bring(store, there)
    assert (importer.counts.imported, importer.counts.already_there) == (266, 0)
    assert (verified.events, verified.differences) == (1_500, ())
    importer, _ = await bring(store, there)
    assert (importer.counts.imported, importer.counts.already_there) == (0, 0)


async def test_where_the_last_event_is_gone_every_event_is_looked_for(store: LocalEventStore) -> None:
    there = varied(1_100)
    there.add("gone-1", 0)
    await bring(store, there)
    there.events.pop()
    there.add("order-0", 158, commit_position=500_000)
    importer, verified = await bring(store, there)
    assert (importer.counts.imported, importer.counts.already_there) == (1, 1_100)
    assert (verified.differences, verified.gone) == ((), 1)


async def test_what_belongs_to_the_other_system_stays_there(store: LocalEventStore) -> None:
    there = OtherSystem()
    kept = [
        there.add("order-1", 0), there.add("$$order-1", 0, b'{"$maxCount":3}', event_type="$metadata"),
        there.add("copies", 0, b"0@order-1", event_type="$>", content_type="application/octet-stream"),
    ]  # fmt: skip
    for stream in ("$stats-0.0.0.0:2113", "$$$stats-0.0.0.0:2113", "$ce-order", "$users", "$scavenges", "$settings"):
        there.add(stream, 0, event_type="$x")
    there.add("test-1", 0)
    there.add("$$test-1", 0, b"{}", event_type="$metadata")
    _, verified = await bring(store, there, "test-*")
    assert await stored(store) == there_too(kept)
    assert verified.streams == 3


async def test_a_truncated_stream_begins_anew(store: LocalEventStore) -> None:
    there = OtherSystem()
    for revision in range(40, 45):
        there.add("order-1", revision)
    there.add("$$order-1", 7, b'{"$tb":43}', event_type="$metadata")
    there.add("order-1", 45)
    there.add("order-2", 0)
    _, verified = await bring(store, there)
    assert [one[1] for one in await stored(store, "order-1")] == [0, 1, 2, 3, 4, 5]
    assert (verified.streams_with_gaps, verified.revisions_missing, verified.differences) == (2, 47, ())
    page = await store.read_aggregate("order", "1")
    assert [payload_of(event).mark.revision for event in page.events] == [40, 41, 42, 43, 44, 45]
    # 40, 41 and 42 are hidden, as there.
    assert (await shown_of(store, "order-1", 6)).from_version == 4
    # So says what a client reads and writes back.
    assert await metadata_shown(store, (await store.read_aggregate("~", "$$order-1")).events[0]) == b'{"$tb":3}'
    there.add("order-1", 46)
    there.add("$$order-1", 8, b'{"$tb":45}', event_type="$metadata")
    importer, verified = await bring(store, there)
    assert (importer.counts.imported, verified.differences) == (2, ())
    assert (await shown_of(store, "order-1", 7)).from_version == 6


async def test_tombstones_are_passed_over(store: LocalEventStore) -> None:
    there = OtherSystem()
    kept = [there.add("order-1", 0), there.add("order-1", 1)]
    there.add("order-1", 2**63 - 1, event_type="$streamDeleted")
    _, verified = await bring(store, there)
    assert await stored(store) == there_too(kept)
    assert (verified.revisions_missing, verified.differences) == (0, ())


async def test_an_id_that_stands_in_two_streams_is_changed(store: LocalEventStore) -> None:
    there = OtherSystem()
    for n in range(400):
        event = there.add("order-1", n)
        there.add("copy-1", 2 * n, event_id=event.id)
        there.add("copy-1", 2 * n + 1, event_id=event.id)
    importer, verified = await bring(store, there)
    assert (importer.counts.imported, importer.counts.ids_changed) == (1_200, 800)
    assert (verified.events, verified.differences) == (1_200, ())
    assert len({one.event_id for one in (await store.read_feed(limit=1_000)).events}) == 1_000
    late = there.add("late-1", 0, event_id=there.events[0].id)
    importer, verified = await bring(store, there)
    assert (importer.counts.imported, importer.counts.ids_changed, verified.differences) == (1, 1, ())
    event = (await store.read_aggregate("late", "1")).events[0]
    assert (event.event_id != late.id, payload_of(event).mark.event_id) == (True, late.id)


async def test_a_transaction_is_stored_whole(store: LocalEventStore) -> None:
    there = varied(998)  # two short of a batch
    for n in range(5):
        there.add("tx-1", n, commit_position=200_000, prepare_position=150_000 + n)
    there.add("tx-1", 5, commit_position=300_000)
    heads: list[int] = []
    source = Source(there, "esdb://there")  # type: ignore[arg-type]  # it has what is read of a client
    importer = Importer(store, source)

    def listen(done: int, total: int | None) -> None:
        heads.append(done)

    await importer.run(listen)
    assert heads == [99_800]
    assert importer.position == 300_000
    assert await stored(store) == there_too(there.events)


async def test_what_somebody_else_appended_stops_the_import(store: LocalEventStore) -> None:
    there = OtherSystem()
    there.add("order-1", 0)
    await bring(store, there)
    await store.append("order", "1", NewEvent("Other"))
    there.add("order-2", 0)
    there.add("order-1", 1)
    with pytest.raises(VersionConflict, match=r"the stream order-1 holds events .* before its event 1"):
        await bring(store, there)
    importer, verified = await bring(store, there, "order-1")
    assert (importer.counts.imported, verified.events) == (1, 1)


async def test_events_that_came_from_here_are_known(store: LocalEventStore) -> None:
    """After an export to the other system, which was then written to."""
    await store.append("order", "1", [NewEvent("A", {"n": 1}), NewEvent("B", {"n": 2})])
    there = OtherSystem()
    for event in (await store.read_feed()).events:
        there.add(
            "order-1", event.version - 1, event.event_data_bytes, event_id=event.event_id,
            event_type=event.event_type,
        )  # fmt: skip
    there.add("order-1", 2)
    importer, _ = await bring(store, there)
    assert (importer.counts.imported, importer.counts.already_there) == (1, 2)
    assert (await store.head()).position == 3


async def test_an_event_that_cannot_be_stored_is_named(store: LocalEventStore) -> None:
    there = varied(10)
    there.add("bad\n-1", 0)
    with pytest.raises(InvalidRequest, match="event 0 of the stream bad"):
        await bring(store, there)
    there.events.pop()
    there.add("large-1", 0, json.dumps("x" * 1_100_000).encode())
    with pytest.raises(InvalidRequest, match=r"event 0 of the stream large-1 cannot be stored: .* --exclude"):
        await bring(store, there)
    assert (await bring(store, there, "large-*"))[1].differences == ()


async def test_differences_are_named(store: LocalEventStore) -> None:
    there = varied(100)
    await bring(store, there)
    there.events[3:4] = []
    changed = there.events[5]
    there.events[5] = OtherSystem().add(changed.stream_name, changed.stream_position, commit_position=600)
    _, verified = await bring(store, there)
    assert [str(one) for one in verified.differences] == [
        f"{changed.stream_name}: the {verified.differences[0].source_events} events are not the same"
    ]
    assert verified.gone == 1


async def test_long_json_in_a_form_of_its_own_counts_as_the_same(store: LocalEventStore) -> None:
    there = OtherSystem()
    there.add("order-1", 0, json.dumps({"lines": ["x" * 60] * 1_000}, indent=2).encode())
    assert (await bring(store, there))[1].differences == ()


async def test_long_metadata_in_a_form_of_its_own_counts_as_the_same_and_other_metadata_does_not(
    store: LocalEventStore,
) -> None:
    there = OtherSystem()
    pretty = json.dumps({"lines": ["x" * 20] * 1_200}, indent=2).encode()
    small = json.dumps({"a": 1}, indent=2).encode()
    assert len(pretty) > 32 * 1024
    there.add("order-1", 0, small, metadata=pretty)
    there.add("order-1", 1, b" " * 12_000 + b"{}", metadata=b"{" + b" " * 40_000 + b'"a":1}')
    there.add("order-1", 2, small, metadata=small)
    assert (await bring(store, there))[1].differences == ()
    # Where the data's form has no room, and the metadata's has.
    there.add("order-2", 0, b" " * 20_000 + b"[1]", metadata=b'{"x": "%b",  "y":1}' % (b"z" * 22_000))
    assert (await bring(store, there))[1].differences == ()


def _holding(*events: tuple[bytes, bytes]) -> Digests:
    digests = Digests()
    for n, (data, metadata) in enumerate(events):
        digests.add("order-1", DigestedEvent(UUID(int=n), "A", "application/json", data, metadata), n + 1, n)
    return digests


LONG = b'{"a":"%b"}' % (b"x" * 30_000)


@pytest.mark.parametrize(
    ("here", "there", "is_same"),
    [
        ((b'{ "a" :1}', b"{}"), (b'{ "a" :1}', b"{}"), True),
        ((b'{ "a" :1}', b"{}"), (b'{"a":1}', b"{}"), False),
        ((b'{ "a" :1}', LONG), (b'{"a":1}', LONG), True),
        ((b'{ "a" :2}', LONG), (b'{"a":1}', LONG), False),
        ((b" " * 20_000 + b"{}", b'{"b": 1}'), (b"{}", b'{"b": 1}'), True),
        ((b"{}", LONG.replace(b":", b" : ")), (b"{}", LONG), True),
        ((b"{}", LONG.replace(b"x", b"y")), (b"{}", LONG), False),
        ((b"{}", b"{}"), (b" " * 20_000 + b"{}", b"{}"), False),
    ],
)
def test_what_counts_as_the_same(here: tuple[bytes, bytes], there: tuple[bytes, bytes], is_same: bool) -> None:
    small = (b"1", b"")
    assert (_holding(small, here).differences(_holding(small, there)) == []) is is_same
    assert _holding(here).differences(_holding(here, small)) != []
