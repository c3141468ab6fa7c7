"""Where backups are kept: a bucket does what a folder does, and tells two that write at once from one another."""

import asyncio
from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import TypeVar

import pytest
from obstore.store import MemoryStore

from indelible.core import verify as verifying
from indelible.core.backup import manifest as manifest_module
from indelible.core.backup import taking
from indelible.core.backup.bucket import Bucket
from indelible.core.backup.manifest import Manifest, Segment
from indelible.core.backup.places import Place
from indelible.core.backup.reading import BackedUpLog, read_manifest, verify_backup
from indelible.core.backup.taking import take_backup
from indelible.core.copy import copy_whole
from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.errors import InvalidRequest, Unavailable
from indelible.events import NewEvent
from indelible.limits import BACKUP_SEGMENT_SIZE_BYTES_MAX

_T = TypeVar("_T")


async def _grow(store: LocalEventStore, count: int, size: int = 10) -> None:
    for number in range(count):
        await store.append("order", str(number % 7), [NewEvent("Counted", "x" * size)])


async def test_a_bucket_holds_a_backup(tmp_path: Path) -> None:
    place = Bucket(MemoryStore())
    with pytest.raises(InvalidRequest, match="there is no backup"):
        await read_manifest(place)
    async with open_local_store("memory:") as store, open_local_store(f"sqlite:{tmp_path}/new.db") as new:
        for count in (30, 1, 1, 50):
            await _grow(store, count)
            await take_backup(store, place)
        report = await verify_backup(place)
        assert (report.verified, report.damage) == (82, None)
        assert len((await read_manifest(place)).segments) == 1
        # What is replaced is gone.
        assert await place.old_segments(-60) == [segment.name for segment in (await read_manifest(place)).segments]
        await copy_whole(BackedUpLog(place, await read_manifest(place)), new)
        assert (await new.read_feed(limit=100)).lines == (await store.read_feed(limit=100)).lines


async def test_of_two_backups_at_once_one_is_refused_and_the_other_good() -> None:
    memory = MemoryStore()
    async with open_local_store("memory:") as store:
        for _ in range(3):
            await _grow(store, 20)
            told = await asyncio.gather(*(take_backup(store, Bucket(memory)) for _ in range(2)), return_exceptions=True)
            failed = [one for one in told if isinstance(one, BaseException)]
            assert len(failed) == 1
            assert "another backup is being made there" in str(failed[0])
        report = await verify_backup(Bucket(memory))
        assert (report.verified, report.damage) == (60, None)


class _Replacing(Bucket):
    """A bucket in which, before a segment is read, the next backup replaces it."""

    def __init__(self, memory: MemoryStore, store: LocalEventStore) -> None:
        super().__init__(memory)
        self._memory = memory
        self._grows = store
        self._is_done = False

    async def read(self, name: str) -> bytes:
        if not self._is_done and name.startswith("segments/"):
            self._is_done = True
            await _grow(self._grows, 200)
            await take_backup(self._grows, Bucket(self._memory))
        return await super().read(name)


async def test_a_reader_goes_on_when_the_next_backup_replaces_what_it_reads() -> None:
    memory = MemoryStore()
    async with open_local_store("memory:") as store:
        await _grow(store, 100)
        await take_backup(store, Bucket(memory))
        await _grow(store, 20)
        await take_backup(store, Bucket(memory))
        place: Place = _Replacing(memory, store)
        report = await verify_backup(place)
        # The backup as it was when reading began.
        assert (report.head, report.verified, report.damage) == (120, 120, None)


class _Failing(Bucket):
    """A bucket that is gone from some operation on, before it or right after it."""

    def __init__(self, memory: MemoryStore, left: int, *, after: bool) -> None:
        super().__init__(memory)
        self.left = left
        self._after = after

    async def _gone(self, doing: Awaitable[_T]) -> _T:
        self.left -= 1
        if self.left >= 0:
            return await doing
        if self._after:
            await doing
        else:
            asyncio.ensure_future(doing).cancel()
        raise Unavailable("the bucket is gone")

    async def write(self, name: str, data: bytes) -> None:
        await self._gone(super().write(name, data))

    async def replace_manifest(self, data: bytes, known: str | None) -> str:
        return await self._gone(super().replace_manifest(data, known))

    async def delete(self, names: Iterable[str]) -> None:
        for name in names:
            await self._gone(super().delete([name]))


@pytest.mark.parametrize("after", [False, True])
async def test_interrupted_anywhere_a_backup_leaves_the_last_one_good(
    after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments are small here, and the manifest is written after each of them."""
    _make_segments_small(monkeypatch, 20_000)
    monkeypatch.setattr(taking, "BACKUP_MANIFEST_INTERVAL_S", 0.0)
    monkeypatch.setattr(verifying, "PAGE_EVENTS_MAX", 16)
    interruptions = 0
    async with open_local_store("memory:") as store:
        memory, position, is_over = MemoryStore(), 0, False
        while not is_over:
            await _grow(store, 90, size=300)
            place = _Failing(memory, interruptions, after=after)
            try:
                await take_backup(store, place)
                is_over = place.left >= 0
            except Unavailable:
                interruptions += 1
            if await Bucket(memory).read_manifest() is None:
                continue
            report = await verify_backup(Bucket(memory))
            assert report.damage is None
            # It does not get shorter.
            assert report.verified >= position
            position = report.verified
        assert position == (await store.head()).position
        assert interruptions > 5
        named = {segment.name for segment in (await read_manifest(Bucket(memory))).segments}
        assert named <= set(await Bucket(memory).old_segments(-60))


def _make_segments_small(monkeypatch: pytest.MonkeyPatch, size_bytes: int) -> None:
    for module in (manifest_module, taking):
        monkeypatch.setattr(module, "BACKUP_SEGMENT_SIZE_BYTES_MAX", size_bytes)


async def test_large_logs_have_many_segments_and_full_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    _make_segments_small(monkeypatch, 2_000_000)
    place = Bucket(MemoryStore())
    async with open_local_store("memory:") as store:
        for _ in range(9):
            await store.append("order", "1", [NewEvent("Filled", "x" * 600_000)])
        await take_backup(store, place)
        first = (await read_manifest(place)).segments
        assert [segment.is_full for segment in first] == [True, True, False]
        await _grow(store, 300)
        await take_backup(store, place)
        assert (await read_manifest(place)).segments[:2] == first[:2]
        assert (await verify_backup(place)).damage is None


def _manifest(*events: int, lines_size_bytes: int = 1) -> Manifest:
    segments, first = [], 1
    for count in events:
        last = first + count - 1
        segments.append(Segment("", first, last, "", 1, lines_size_bytes, "", "", "", ""))
        first = last + 1
    return Manifest(segments=tuple(segments))


def test_increments_are_joined_as_carries_of_a_counter() -> None:
    manifest = Manifest()
    longest = copied = 0
    for head in range(10, 20_010, 10):
        kept = [segment.events for segment in manifest.kept_by(head)]
        copied += head - sum(kept)
        manifest = _manifest(*kept, head - sum(kept))
        longest = max(longest, len(manifest.segments))
    assert longest <= 12
    assert copied <= 20_000 * 12
    assert manifest.kept_by(20_000) == manifest.segments
    full = _manifest(10, 10, lines_size_bytes=BACKUP_SEGMENT_SIZE_BYTES_MAX)
    assert full.kept_by(1_000) == full.segments
