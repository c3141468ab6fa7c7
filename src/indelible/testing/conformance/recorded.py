"""The promises of an engine about events that another store has recorded: it takes them exactly as they are, or not."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest

from indelible.conditions import AppendCondition
from indelible.cursors import cursor_at
from indelible.engines.engine import Engine
from indelible.engines.memory import MemoryEngine
from indelible.errors import ConditionFailed, InvalidRequest
from indelible.events import (
    AggregateKey,
    NewEvent,
    RecordedEvent,
    decode_event,
    decode_events,
    event_hash,
    format_timestamp,
    timestamp_to_us,
    unhashed_line,
)
from indelible.eventstore import AggregateAppend, AppendRequest, AtomicAppendResult
from indelible.queries import QueryItem
from indelible.testing.conformance.helpers import some_events, unique
from indelible.testing.recording import continuation, read_log


async def _twin(engine: Engine) -> MemoryEngine:
    twin = MemoryEngine()
    await twin.append_recorded(decode_events(await read_log(engine)))
    return twin


def _key() -> AggregateKey:
    return AggregateKey(unique("Order"), unique())


def _odd_events() -> list[NewEvent]:
    return [
        NewEvent("Żółw", {"n": [1.0, 2**70, "\n\u2028"]}, metadata={"by": "é"}, tags=["z z", "a"]),
        NewEvent("Photo", b"\x00\xff", content_type="image/png"),
        NewEvent("Patched", {"a": 1}, content_type="application/merge-patch+json"),
        NewEvent("Big", msgspec.Raw(b"[1e400,-0.0,1.10]")),
    ]


def _rehashed(event: RecordedEvent, before: RecordedEvent) -> RecordedEvent:
    """With the hash that it gives: so it is not the hash by which it is refused."""
    timestamp = format_timestamp(timestamp_to_us(event.timestamp))
    unhashed = unhashed_line(NewEvent.from_recorded(event), event.key, event.version, event.position, timestamp)
    return msgspec.structs.replace(event, hash=event_hash(bytes.fromhex(before.hash), unhashed).hex())


Spoil = Callable[[RecordedEvent, RecordedEvent], dict[str, Any]]
"""Of the last event and the one before it: what is wrong with the last."""

_SPOILT: Final[dict[str, tuple[str, Spoil]]] = {
    "gap": ("/position", lambda last, _: {"position": last.position + 1}),
    "position again": ("/position", lambda last, _: {"position": last.position - 1}),
    "version left out": ("/version", lambda last, _: {"version": last.version + 1}),
    "version again": ("/version", lambda last, _: {"version": last.version - 1}),
    "first of another aggregate": ("/version", lambda *_: {"aggregate_id": unique()}),
    "id again": ("/event_id", lambda _, before: {"event_id": before.event_id}),
    "earlier": ("/timestamp", lambda last, _: {"timestamp": last.timestamp - timedelta(microseconds=1)}),
    "bad type": ("/aggregate_type", lambda *_: {"aggregate_type": "a-b", "version": 1}),
    "bad id": ("/aggregate_id", lambda *_: {"aggregate_id": "", "version": 1}),
    "bad event type": ("/event_type", lambda *_: {"event_type": "a\n"}),
    "bad tag": ("/tags/0", lambda *_: {"tags": ("",)}),
    "tag twice": ("/hash", lambda *_: {"tags": ("a", "a")}),
    "tags not in order": ("/hash", lambda *_: {"tags": ("b", "a")}),
    "white space": ("/hash", lambda *_: {"event_data_raw": msgspec.Raw(b"[1, 2]")}),
    "not UTF-8": ("/event_data", lambda *_: {"event_data_raw": msgspec.Raw(b'"\xff"')}),
    "metadata no object": ("/metadata", lambda *_: {"metadata_raw": msgspec.Raw(b"[]")}),
}


class RecordedConformance:
    """Fixtures: ``engine``, open, and ``make_engine``, which gives another over the same storage if it is durable."""

    async def test_copy_is_equal_line_for_line(self, engine: Engine) -> None:
        """From the engine to another one, where the log grows, and back."""
        await engine.append([AppendRequest((AggregateAppend(_key(), tuple(_odd_events())),))])
        twin, head = await _twin(engine), await engine.head()
        assert await twin.head() == head
        key = _key()
        for _ in range(3):
            await twin.append([AppendRequest((AggregateAppend(key, tuple(_odd_events())),))])
        new = decode_events(await read_log(twin, head.position))
        assert len(new) == 12
        await engine.append_recorded(new[:5])
        await engine.append_recorded(new[5:])
        assert await engine.head() == await twin.head()
        assert await read_log(engine) == await read_log(twin)
        assert await engine.read_aggregate_info(key) == await twin.read_aggregate_info(key)
        assert await engine.list_event_types() == await twin.list_event_types()
        assert await engine.list_aggregate_types() == await twin.list_aggregate_types()
        assert await engine.read_event(new[7].event_id) == await twin.read_event(new[7].event_id)
        assert await engine.find_unindexed(1, new[-1].position) is None

    async def test_appends_go_on_after_recorded_events(self, engine: Engine) -> None:
        key, tag = _key(), unique("tag")
        events = tuple(some_events(3, tags=[tag]))
        recorded = await continuation(engine, [AggregateAppend(key, events)])
        await engine.append_recorded(recorded)
        again, failed, stored = await engine.append(
            [
                AppendRequest((AggregateAppend(key, events),)),
                AppendRequest(
                    (AggregateAppend(_key(), (NewEvent("X"),)),),
                    AppendCondition((QueryItem(tags=(tag,)),), cursor_at(recorded[0].position)),
                ),
                AppendRequest((AggregateAppend(key, (NewEvent("X"),), 3),)),
            ]
        )
        assert isinstance(again, AtomicAppendResult)
        assert (again.replayed, again.position) == (True, recorded[-1].position)
        assert isinstance(failed, ConditionFailed)
        assert failed.position == recorded[1].position
        assert isinstance(stored, AtomicAppendResult)
        assert (stored.position, stored.results[0].version) == (recorded[-1].position + 1, 4)
        await engine.append_recorded(await continuation(engine, [AggregateAppend(key, tuple(some_events(2)))]))
        assert (await engine.read_aggregate_info(key)).version == 6  # type: ignore[union-attr] # it was just stored
        twin = await _twin(engine)
        assert await twin.head() == await engine.head()

    @pytest.mark.parametrize("spoilt", _SPOILT)
    async def test_events_that_do_not_continue_the_log_change_nothing(self, engine: Engine, spoilt: str) -> None:
        key, head = _key(), await engine.head()
        good = await continuation(engine, [AggregateAppend(key, tuple(some_events(3)))])
        pointer, spoil = _SPOILT[spoilt]
        last = _rehashed(msgspec.structs.replace(good[-1], **spoil(good[-1], good[-2])), good[-2])
        await _refused(engine, [*good[:-1], last], f"/events/2{pointer}")
        assert await engine.head() == head
        assert await engine.read_aggregate_info(key) is None
        await engine.append_recorded(good)
        assert (await engine.head()).hash.hex() == good[-1].hash

    async def test_hash_must_be_that_of_content_and_log(self, engine: Engine) -> None:
        key = _key()
        good = await continuation(engine, [AggregateAppend(key, tuple(some_events(2)))])
        other = msgspec.structs.replace(good[1], event_data_raw=msgspec.Raw(b'{"n":3}'))
        await _refused(engine, [good[0], other], "/events/1/hash")
        elsewhere = msgspec.structs.replace(good[0], hash="0" * 64)
        await _refused(engine, [elsewhere, _rehashed(good[1], elsewhere)], "/events/0/hash")
        assert await engine.read_aggregate_info(key) is None

    async def test_stored_id_is_refused(self, engine: Engine) -> None:
        stored = decode_event((await read_log(engine)).split(b"\n")[0])
        again = AggregateAppend(_key(), (NewEvent("New", event_id=stored.event_id),))
        await _refused(engine, await continuation(engine, [again]), "/events/0/event_id")
        await _refused(engine, [stored], "/events/0/position")

    async def test_no_events_change_nothing(self, engine: Engine) -> None:
        head = await engine.head()
        await engine.append_recorded([])
        assert await engine.head() == head

    async def test_recorded_events_are_as_durable_as_others(
        self, engine: Engine, make_engine: Callable[[], Engine]
    ) -> None:
        recorded = await continuation(engine, [AggregateAppend(_key(), tuple(_odd_events()))])
        await engine.append_recorded(recorded)
        head, log = await engine.head(), await read_log(engine)
        await engine.close()
        again = make_engine()
        await again.open()
        if again.capabilities.durable:
            assert (await again.head(), await read_log(again)) == (head, log)
            await again.append([AppendRequest((AggregateAppend(recorded[0].key, (NewEvent("X"),), len(recorded)),))])
            assert (await again.head()).position == head.position + 1
        else:
            assert await read_log(again) == b""
        await again.close()


async def _refused(engine: Engine, events: Sequence[RecordedEvent], pointer: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await engine.append_recorded(events)
    index = int(pointer.split("/")[2])
    assert (caught.value.pointer, caught.value.fields["position"]) == (pointer, events[index].position)
    assert caught.value.message
