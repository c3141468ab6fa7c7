"""Reads a backup: its log, checked file by file and event by event as it passes.

While it is read, the next backup may replace small segments. Then the manifest is read anew, which has the same events
in others.
"""

import asyncio
import hashlib
import io
import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from typing import Final

from indelible.core.backup.manifest import MANIFEST, Manifest, Segment, decode_manifest
from indelible.core.backup.places import Place
from indelible.core.copy import OnProgress, WholeLog
from indelible.core.verify import Chain, Damage, SignedLog, VerifyReport
from indelible.errors import InvalidRequest
from indelible.limits import PAGE_EVENTS_MAX, PAGE_SIZE_BYTES_MAX, VERSION_MAX


async def read_manifest(place: Place) -> Manifest:
    """Raises ``InvalidRequest`` where there is none."""
    found = await place.read_manifest()
    if found is None:
        raise InvalidRequest(f"there is no backup: {MANIFEST} is not there")
    return decode_manifest(found[0])


class BackedUpLog(WholeLog):
    """The log in a backup, from its first event to its last. Holds one segment in memory, packed."""

    name = "backup"

    def __init__(self, place: Place, manifest: Manifest) -> None:
        super().__init__(Chain())
        self._place: Final = place
        self._manifest = manifest
        self.end: Final = manifest.position
        """Of its last event."""
        self._segment: Segment | None = None
        self._lines: zstd.ZstdFile | None = None

    @property
    def at_end(self) -> bool:
        return self.position >= self.end

    @property
    def progress(self) -> tuple[int, int | None]:
        return self.position, self.end

    async def next_lines(self, events_max: int = PAGE_EVENTS_MAX) -> bytes | Damage:
        """The events that follow. What the place raises passes through."""
        segment = self._segment
        if segment is None or self.position >= segment.last:
            problem = await self._open_next()
            if problem is not None:
                return Damage(self.position + 1, problem)
        return await asyncio.to_thread(self._read, min(events_max, self.end - self.position))

    async def _open_next(self) -> str | None:
        """Go on to the segment with the next event; or why there is none that is as it was written."""
        wanted = self.position + 1
        segment = self._manifest.segment_with(wanted)
        data = None if segment is None else await self._read_segment(segment)
        if data is None:
            self._manifest = await read_manifest(self._place)
            newer = self._manifest.segment_with(wanted)
            data = None if newer is None or newer == segment else await self._read_segment(newer)
            segment = newer
        if segment is None or data is None:
            return f"is missing: {'no segment' if segment is None else segment.name} is not there"
        if hashlib.sha256(data).hexdigest() != segment.sha256:
            return f"cannot be read: {segment.name} is damaged, its SHA-256 is not the one that the manifest has"
        self._segment, self._lines = segment, zstd.ZstdFile(io.BytesIO(data))
        # A newer manifest may have events in front, that have been read, in the same segment.
        await asyncio.to_thread(self._skip, wanted - segment.first)
        return None

    async def _read_segment(self, segment: Segment) -> bytes | None:
        try:
            return await self._place.read(segment.name)
        except FileNotFoundError:
            return None

    def _skip(self, count: int) -> None:
        assert self._lines is not None
        for _ in range(count):
            self._lines.readline()

    def _read(self, events_max: int) -> bytes | Damage:
        assert self._lines is not None
        assert self._segment is not None
        taken: list[bytes] = []
        size_bytes = 0
        while len(taken) < events_max and size_bytes < PAGE_SIZE_BYTES_MAX and self.position < self._segment.last:
            line = self._lines.readline().removesuffix(b"\n")
            problem = self._chains.check(line)
            if problem is not None:
                return b"\n".join(taken) if taken else Damage(self.position + 1, problem)
            taken.append(line)
            size_bytes += len(line)
        if self.position == self._segment.last and self.hash != self._segment.hash:
            return Damage(self.position, f"has another hash than {MANIFEST} says: {self._segment.hash}")
        return b"\n".join(taken)


async def verify_backup(
    place: Place, *, held_to: SignedLog | None = None, on_progress: OnProgress | None = None
) -> VerifyReport:
    """Read all of a backup; stop at the first damage, or where it is not what was signed."""
    log = BackedUpLog(place, await read_manifest(place))
    damage: Damage | None = None
    while damage is None and not log.at_end:
        stop = 0 if held_to is None else held_to.next_stop(log.position)
        lines = await log.next_lines(min(PAGE_EVENTS_MAX, (stop or VERSION_MAX) - log.position))
        if isinstance(lines, Damage):
            damage = lines
        elif held_to is not None:
            damage = held_to.check(log.position, log.hash)
        if on_progress is not None:
            on_progress(*log.progress)
    if damage is None and held_to is not None:
        damage = held_to.check_end(log.position)
    return VerifyReport(log.end, log.position, log.hash, damage)
