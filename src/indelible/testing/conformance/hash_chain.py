"""Whoever has the lines can check the hash chain with nothing but SHA-256."""

import asyncio
import hashlib
import json

import pytest

from indelible.cursors import START, Cursor
from indelible.events import HASH_BEFORE_FIRST, NewEvent, decode_event, event_hash, split_hashed_line
from indelible.eventstore import EventStore
from indelible.testing.conformance.helpers import ODD_NAMES, append_noise, unique

_MEMBERS = [
    "event_id", "event_type", "aggregate_type", "aggregate_id", "version", "position", "timestamp", "event_data",
    "metadata", "tags", "content_type", "hash",
]  # fmt: skip


async def _lines_after(store: EventStore, after: Cursor) -> list[bytes]:
    lines: list[bytes] = []
    while True:
        page = await store.read_feed(after=after, limit=50)
        lines += page.lines.split(b"\n") if page.lines else []
        if page.at_end:
            return lines
        after = page.cursor


@pytest.mark.asyncio
class HashChainConformance:
    async def test_chain_goes_on_from_event_to_event(self, store: EventStore) -> None:
        before, start = await append_noise(store), await store.head()
        # Where there are several chains, they are told apart by following them from their first events on.
        ends = [bytes.fromhex((await store.get_event(before.events[-1].event_id)).hash)]
        if start.partitions > 1:
            ends = [HASH_BEFORE_FIRST] * start.partitions
        for name in ODD_NAMES:
            event = NewEvent(name, {name: [1.0, 2**70, "\n"]}, metadata={"a": name}, tags=[name, "x"])
            await store.append(unique(name.replace("-", "")), name, [event, NewEvent(name, name.encode())])
        await asyncio.gather(*(append_noise(store) for _ in range(10)))
        lines = await _lines_after(store, START if start.partitions > 1 else start.cursor)
        count = (await store.head()).position - (0 if start.partitions > 1 else start.position)
        assert len(lines) == count >= 2 * len(ODD_NAMES) + 30
        for line in lines:
            unhashed, digest = split_hashed_line(line)
            assert digest in [hashlib.sha256(end + unhashed).digest() for end in ends]
            assert decode_event(line).hash == digest.hex()
            ends.remove(next(end for end in ends if hashlib.sha256(end + unhashed).digest() == digest))
            ends.append(digest)

    async def test_chain_starts_from_zeros(self, store: EventStore) -> None:
        await append_noise(store)
        page = await store.read_feed(limit=1)
        unhashed, digest = split_hashed_line(page.lines)
        assert event_hash(HASH_BEFORE_FIRST, unhashed) == digest

    async def test_every_read_gives_the_same_line(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        event = NewEvent("Touched", {"b": 1, "a": "é\u2028\x7f"}, metadata={"z": "\t"}, tags=['"', "\\", "é"])
        start = (await store.head()).cursor
        await store.append(aggregate_type, aggregate_id, [event])
        by_aggregate = await store.read_aggregate(aggregate_type, aggregate_id)
        by_feed = await store.read_feed(after=start)
        assert by_aggregate.lines == by_feed.lines
        assert (await store.replay(aggregate_type, aggregate_id)).page.lines == by_feed.lines
        assert decode_event(by_feed.lines) == await store.get_event(event.event_id)

    async def test_members_of_a_line(self, store: EventStore) -> None:
        start = (await store.head()).cursor
        await store.append(unique("Order"), unique(), [NewEvent("Touched", {"a": 1}), NewEvent("Touched", b"\xff")])
        as_json, as_bytes = (await store.read_feed(after=start)).lines.split(b"\n")
        assert list(json.loads(as_json)) == _MEMBERS
        base64_members = ["event_data_base64" if name == "event_data" else name for name in _MEMBERS]
        assert list(json.loads(as_bytes)) == base64_members
        assert json.loads(as_bytes)["event_data_base64"] == "/w=="
        assert json.loads(as_json)["timestamp"].endswith("Z")
        assert len(json.loads(as_json)["timestamp"]) == len("2026-01-31T12:00:00.000000Z")
