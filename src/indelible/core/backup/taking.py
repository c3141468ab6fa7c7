"""Takes a backup: brings a place up to the head of a store, whose events are checked as they pass.

What the place holds already must be the beginning of the store's log. The store may be written to meanwhile, and may be
a server: a backup goes through the one door that every store has.
"""

import asyncio
import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from indelible.core.backup.manifest import SEGMENTS, Manifest, Segment, decode_manifest
from indelible.core.backup.places import Place
from indelible.core.backup.readers import noted_group, noted_relay
from indelible.core.copy import check_has_one_log
from indelible.core.verify import Chain, CheckedLog, Damage
from indelible.cursors import START, Cursor
from indelible.errors import EventNotFound, InvalidRequest, StoreCorrupted
from indelible.events import decode_event, format_timestamp, timestamp_to_us
from indelible.eventstore import EventStore, Head
from indelible.limits import (
    BACKUP_LEFTOVER_AGE_S,
    BACKUP_MANIFEST_INTERVAL_S,
    BACKUP_SEGMENT_SIZE_BYTES_MAX,
)

OnProgress = Callable[[int, int | None], None]


class BackupReport(msgspec.Struct, frozen=True):
    """What a backup did, and holds."""

    backed_up: int
    """Events that are new in it."""
    already_there: int
    position: int
    """Of its last event."""
    hash: str
    """Of that event."""
    segments: int
    size_bytes: int
    """Of all its segments."""
    groups: int
    relays: int


async def take_backup(store: EventStore, place: Place, *, on_progress: OnProgress | None = None) -> BackupReport:
    """Raises ``InvalidRequest`` when the place holds a backup of another log, or another backup was made there
    meanwhile; ``StoreCorrupted`` with the ``position`` when the store is damaged: what comes before it is backed up;
    and what both sides raise. The backup that was there stays good whatever happens."""
    found = await place.read_manifest()
    before = Manifest() if found is None else decode_manifest(found[0])
    # Before the head: none of them is ahead of it.
    groups = tuple(map(noted_group, await store.groups.list()))
    relays = tuple(map(noted_relay, await store.relays.list()))
    head = await store.head()
    check_has_one_log(head, "/store")
    await _check_continues(store, head, before)
    tag = None if found is None else found[1]
    taking = _Taking(store, place, head, before, tag=tag, on_progress=on_progress)
    damage = await taking.run()
    after = await taking.note(groups=groups, relays=relays)
    await _clear(place, before, after)
    if damage is not None:
        message = f"the store is damaged: the event at position {damage.position} {damage.reason}"
        raise StoreCorrupted(f"{message}; what comes before it is backed up", position=damage.position)
    return BackupReport(
        after.position - before.position, before.position, after.position, after.hash, len(after.segments),
        after.size_bytes, len(groups), len(relays),
    )  # fmt: skip


async def _check_continues(store: EventStore, head: Head, manifest: Manifest) -> None:
    """Each hash covers all before it, so the last event speaks for all of them."""
    last = manifest.last
    if last is None:
        return
    if last.last > head.position:
        raise InvalidRequest(
            f"holds {last.last} events, more than the store, which has {head.position}: it is a backup of another "
            "store, or the store has lost its end",
            pointer="/destination", position=head.position + 1,
        )  # fmt: skip
    try:
        event = await store.get_event(UUID(last.event_id))
    except EventNotFound:
        event = None
    if event is None or (event.position, event.hash) != (last.last, last.hash):
        raise InvalidRequest(
            f"is a backup of another log: it has an event with the hash {last.hash} at position {last.last}, which "
            "the store does not have there. Name another place for the backup of this store",
            pointer="/destination", position=last.last,
        )  # fmt: skip


class _Taking:
    """One backup under way. Holds one segment in memory, packed."""

    def __init__(
        self,
        store: EventStore,
        place: Place,
        head: Head,
        before: Manifest,
        *,
        tag: str | None,
        on_progress: OnProgress | None,
    ) -> None:
        self._store: Final = store
        self._place: Final = place
        self._head: Final = head
        self._noted = before
        self._tag = tag
        self._on_progress: Final = on_progress or (lambda _done, _total: None)
        self._segments: Final = list(before.kept_by(head.position))
        self._noted_at = time.monotonic()

    async def run(self) -> Damage | None:
        """Write the segments that are missing, up to the first damage."""
        last = self._segments[-1] if self._segments else None
        chain = Chain() if last is None else Chain.at(last.last, bytes.fromhex(last.hash), last.timestamp)
        after = START if last is None else Cursor.parse(last.cursor)
        async with aclosing(CheckedLog(self._store, self._head, chain, after)) as log:
            while not log.at_end:
                damage = await self._write_segment(log)
                if damage is not None:
                    return damage
                if self._is_due():
                    await self.note()
        return None

    async def _write_segment(self, log: CheckedLog) -> Damage | None:
        packing, first, damage = _Packing(), log.position + 1, None
        while not log.at_end and packing.lines_size_bytes < BACKUP_SEGMENT_SIZE_BYTES_MAX:
            lines = await log.next_lines()
            if isinstance(lines, Damage):
                damage = lines
                break
            await asyncio.to_thread(packing.add, lines)
            packing.cursor = log.cursor
            self._on_progress(*log.progress)
        if packing.last_line:
            data, segment = await asyncio.to_thread(packing.finish, first)
            await self._place.write(segment.name, data)
            self._segments.append(segment)
        return damage

    def _is_due(self) -> bool:
        # Segments that are made anew may end before those that they are to replace.
        reached = self._segments[-1].last if self._segments else 0
        return reached > self._noted.position and time.monotonic() > self._noted_at + BACKUP_MANIFEST_INTERVAL_S

    async def note(self, **readers: Sequence[object]) -> Manifest:
        """Write the manifest of what is there by now. Where damage ended it too soon, what was there stays."""
        position = self._segments[-1].last if self._segments else 0
        segments = tuple(self._segments) if position >= self._noted.position else self._noted.segments
        now = format_timestamp(timestamp_to_us(datetime.now(UTC)))
        manifest = msgspec.structs.replace(self._noted, taken_at=now, segments=segments, **readers)
        self._tag = await self._place.replace_manifest(manifest.encode(), self._tag)
        self._noted, self._noted_at = manifest, time.monotonic()
        return manifest


async def _clear(place: Place, before: Manifest, after: Manifest) -> None:
    """Delete what was replaced, and what interrupted backups have left."""
    named = {segment.name for segment in after.segments}
    replaced = {segment.name for segment in before.segments} - named
    left = set(await place.old_segments(BACKUP_LEFTOVER_AGE_S)) - named
    await place.delete(sorted(replaced | left))


class _Packing:
    """A segment that is being made."""

    def __init__(self) -> None:
        self.lines_size_bytes = 0
        self.last_line = b""
        self.cursor = START
        self._packed: Final = bytearray()
        self._compressor: Final = zstd.ZstdCompressor(options={zstd.CompressionParameter.checksum_flag: 1})

    def add(self, lines: bytes) -> None:
        if lines:
            self._packed.extend(self._compressor.compress(lines + b"\n"))
            self.lines_size_bytes += len(lines) + 1
            self.last_line = lines[lines.rfind(b"\n") + 1 :]

    def finish(self, first: int) -> tuple[bytes, Segment]:
        self._packed.extend(self._compressor.flush())
        data = bytes(self._packed)
        digest = hashlib.sha256(data).hexdigest()
        event = decode_event(self.last_line)
        return data, Segment(
            name=f"{SEGMENTS}/{first:012}-{event.position:012}-{digest[:16]}.ndjson.zst",
            first=first,
            last=event.position,
            sha256=digest,
            size_bytes=len(data),
            lines_size_bytes=self.lines_size_bytes,
            hash=event.hash,
            timestamp=format_timestamp(timestamp_to_us(event.timestamp)),
            event_id=str(event.event_id),
            cursor=str(self.cursor),
        )
