"""What the two sides of a move hold, to be compared: of each stream how many events, and one hash over all in order.

The hash covers of each event its id, type, data, metadata and content type. Data and metadata that are JSON, and longer
than the log keeps byte for byte, count without white space; see :mod:`indelible.wire.esdb.payloads`. Data shares the
room for that with metadata, so both together say whether it may have lost its form.
"""

import hashlib
from collections.abc import Sequence
from struct import Struct
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from indelible.cli.output import note
from indelible.errors import InvalidRequest
from indelible.events import is_json
from indelible.json_text import compact_json
from indelible.wire.esdb.payloads import FORM_SIZE_BYTES_MAX

DIFFERENCES_SHOWN_MAX: Final = 20
DATA_FORM_SIZE_BYTES_MAX: Final = FORM_SIZE_BYTES_MAX // 2
"""Data and metadata of fewer bytes keep their form: as text in the log they take at most twice as many, and metadata is
there once more."""
_LENGTHS: Final = Struct(">IIII").pack


class StreamDigest(msgspec.Struct, gc=False):
    """What one side holds of a stream. About 300 bytes with its name."""

    events: int = 0
    hash: bytes = b""
    first_position: int = 0
    """Of its first event, where it was read from."""
    next_revision: int = 0
    """After its last event, where it was read from."""

    @property
    def missing(self) -> int:
        """Revisions that no event has."""
        return self.next_revision - self.events


class Difference(msgspec.Struct, frozen=True):
    """A stream that is not the same on both sides."""

    stream: str
    source_events: int
    destination_events: int
    """When they are as many as those of the source, their hashes differ."""

    def __str__(self) -> str:
        if self.source_events == self.destination_events:
            return f"{self.stream}: the {self.source_events} events are not the same"
        return f"{self.stream}: {self.source_events} events at the source, {self.destination_events} at the destination"


class DigestedEvent(NamedTuple):
    event_id: UUID
    event_type: str
    content_type: str
    data: bytes
    metadata: bytes


class Digests(dict[str, StreamDigest]):
    """By stream."""

    def add(self, stream: str, event: DigestedEvent, position: int, revision: int) -> None:
        """The next event of the stream."""
        digest = self.get(stream)
        if digest is None:
            digest = self[stream] = StreamDigest(first_position=position)
        digest.events += 1
        digest.hash = _hash(digest.hash, event)
        digest.next_revision = revision + 1

    @property
    def events(self) -> int:
        return sum(digest.events for digest in self.values())

    @property
    def missing(self) -> int:
        """Revisions that no event has, of all streams."""
        return sum(digest.missing for digest in self.values())

    @property
    def streams_with_gaps(self) -> int:
        return sum(digest.missing > 0 for digest in self.values())

    def differences(self, destination: "Digests") -> list[Difference]:
        """Of the streams that are here. Others may be at the destination."""
        found: list[Difference] = []
        for stream, ours in self.items():
            theirs = destination.get(stream) or StreamDigest()
            if (ours.events, ours.hash) != (theirs.events, theirs.hash):
                found.append(Difference(stream, ours.events, theirs.events))
        return found


def _hash(before: bytes, event: DigestedEvent) -> bytes:
    event_type, content_type = event.event_type.encode(), event.content_type.encode()
    data, metadata = event.data, event.metadata
    if len(metadata) >= FORM_SIZE_BYTES_MAX:
        metadata = _without_form(metadata)
    # With the metadata as it counts, which is the same on both sides.
    if len(data) + len(metadata) >= DATA_FORM_SIZE_BYTES_MAX and is_json(event.content_type):
        data = _without_form(data)
    lengths = _LENGTHS(len(event_type), len(content_type), len(data), len(metadata))
    parts = (before, event.event_id.bytes, lengths, event_type, content_type, data, metadata)
    return hashlib.sha256(b"".join(parts)).digest()


def _without_form(data: bytes) -> bytes:
    try:
        return compact_json(data)
    except InvalidRequest:
        return data


def note_differences(shown: Sequence[Difference], count: int) -> None:
    for difference in shown:
        note(f"indelible: {difference}")
    if count > len(shown):
        note(f"indelible: and {count - len(shown)} more streams differ")
