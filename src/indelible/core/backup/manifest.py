"""What a backup holds: its manifest. Pure.

The manifest is written last and replaces the one before it in one step. So whatever interrupts a backup, the manifest
names segments that are whole, and all that it names is there.

Segments never change. An increment is a segment of its own, but small ones in front of it that together are no longer
than it are made anew in one piece with it, as carries of a counter: after n increments there are about log2(n) small
ones, and every event is copied about log2(n) times at the most.
"""

from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

from indelible.errors import InvalidRequest, StoreCorrupted
from indelible.events import HASH_BEFORE_FIRST
from indelible.groups import GroupSettings
from indelible.limits import BACKUP_SEGMENT_SIZE_BYTES_MAX

FORMAT: Final = 1
MANIFEST: Final = "backup.json"
SEGMENTS: Final = "segments"
"""The folder of the segments. Nothing else lies there."""

_Count = Annotated[int, msgspec.Meta(ge=0)]


class Segment(msgspec.Struct, frozen=True):
    """A file of events in the order of the log: NDJSON, packed by zstd."""

    name: str
    """Has the digest of the file in it, so that two files of one name are equal."""
    first: _Count
    last: _Count
    """Positions of its first and last event."""
    sha256: str
    """Of the file."""
    size_bytes: _Count
    """Of the file."""
    lines_size_bytes: _Count
    """Of what is packed in it."""
    hash: str
    """Of its last event, as are all that follow."""
    timestamp: str
    event_id: str
    cursor: str
    """Behind it."""

    @property
    def events(self) -> int:
        return self.last - self.first + 1

    @property
    def is_full(self) -> bool:
        return self.lines_size_bytes >= BACKUP_SEGMENT_SIZE_BYTES_MAX


class GroupBackup(msgspec.Struct, frozen=True):
    """A consumer group: what it was made with, and its checkpoint."""

    group: str
    settings: GroupSettings
    cursor: str
    position: _Count
    parked: _Count
    """Events that were parked. They are in the log; that they were parked is not in the backup."""


class RelayBackup(msgspec.Struct, frozen=True):
    """A relay's checkpoint."""

    relay: str
    cursor: str
    position: _Count
    is_paused: bool
    set_aside: _Count
    """Events that were set aside, likewise."""


class Manifest(msgspec.Struct, frozen=True):
    """What one backup holds."""

    format: int = FORMAT
    taken_at: str = ""
    """When it was written; RFC 3339."""
    segments: tuple[Segment, ...] = ()
    """In the order of the log, without a gap."""
    groups: tuple[GroupBackup, ...] = ()
    relays: tuple[RelayBackup, ...] = ()

    @property
    def last(self) -> Segment | None:
        return self.segments[-1] if self.segments else None

    @property
    def position(self) -> int:
        """Of the last event; 0 when there is none."""
        return self.segments[-1].last if self.segments else 0

    @property
    def hash(self) -> str:
        """Of the last event; 64 zeros when there is none."""
        return self.segments[-1].hash if self.segments else HASH_BEFORE_FIRST.hex()

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self.segments)

    def kept_by(self, head: int) -> tuple[Segment, ...]:
        """The segments that stay as they are when the backup grows to this head."""
        kept, new = list(self.segments), head - self.position
        while new and kept and not kept[-1].is_full and kept[-1].events <= new:
            new += kept.pop().events
        return tuple(kept)

    def segment_with(self, position: int) -> Segment | None:
        return next((segment for segment in self.segments if segment.first <= position <= segment.last), None)

    def encode(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    """Raises ``StoreCorrupted`` for what is no manifest, and ``InvalidRequest`` for one of a later format."""
    try:
        told = msgspec.json.decode(data, type=_Format)
        if told.format != FORMAT:
            raise InvalidRequest(
                f"the backup has the format {told.format}; this version of Indelible reads format {FORMAT}"
            )
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreCorrupted(f"the backup's {MANIFEST} is damaged: {error}", position=0) from None
    for before, segment in _with_before(manifest.segments):
        if segment.first != before + 1 or segment.last < segment.first:
            what = f"{MANIFEST} names {segment.name} behind position {before}"
            raise StoreCorrupted(f"the backup's manifest is damaged: {what}", position=before + 1)
    return manifest


class _Format(msgspec.Struct):
    format: int


def _with_before(segments: tuple[Segment, ...]) -> Iterator[tuple[int, Segment]]:
    before = 0
    for segment in segments:
        yield before, segment
        before = segment.last
