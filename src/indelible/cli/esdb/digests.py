"""What the two sides of a move hold, to be compared: of each stream how many events, and two hashes over all in order.

Both cover of each event its id, type, data, metadata and content type: one as they are, and one without the white space
of JSON. The second counts for streams of which an event was so long where it was read from that the log may not keep it
byte for byte; see :mod:`indelible.wire.esdb.payloads`.
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
from indelible.wire.esdb.payloads import FORM_SURE_SIZE_BYTES

DIFFERENCES_SHOWN_MAX: Final = 20
_LENGTHS: Final = Struct(">IIII").pack


class StreamDigest(msgspec.Struct, gc=False):
    """What one side holds of a stream. About 400 bytes with its name."""

    events: int = 0
    hash: bytes = b""
    hash_without_form: bytes = b""
    may_lose_form: bool = False
    first_position: int = 0
    """Of its first event, where it was read from."""
    next_revision: int = 0
    """After its last event, where it was read from."""

    @property
    def missing(self) -> int:
        """Revisions that no event has."""
        return self.next_revision - self.events

    def is_kept_by(self, destination: "StreamDigest") -> bool:
        if self.events != destination.events:
            return False
        return self.hash == destination.hash or (
            self.may_lose_form and self.hash_without_form == destination.hash_without_form
        )


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

    def without_form(self) -> "DigestedEvent":
        data = _compact(self.data) if is_json(self.content_type) else self.data
        return self._replace(data=data, metadata=_compact(self.metadata))


def _compact(given: bytes) -> bytes:
    try:
        return compact_json(given) if given else given
    except InvalidRequest:
        return given


class Digests(dict[str, StreamDigest]):
    """By stream."""

    def add(self, stream: str, event: DigestedEvent, position: int, revision: int) -> None:
        """The next event of the stream."""
        digest = self.get(stream)
        if digest is None:
            digest = self[stream] = StreamDigest(first_position=position)
        digest.events += 1
        digest.hash = _hash(digest.hash, event)
        digest.hash_without_form = _hash(digest.hash_without_form, event.without_form())
        digest.may_lose_form |= len(event.data) + len(event.metadata) >= FORM_SURE_SIZE_BYTES
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
            if not ours.is_kept_by(theirs):
                found.append(Difference(stream, ours.events, theirs.events))
        return found


def _hash(before: bytes, event: DigestedEvent) -> bytes:
    event_type, content_type = event.event_type.encode(), event.content_type.encode()
    lengths = _LENGTHS(len(event_type), len(content_type), len(event.data), len(event.metadata))
    parts = (before, event.event_id.bytes, lengths, event_type, content_type, event.data, event.metadata)
    return hashlib.sha256(b"".join(parts)).digest()


def note_differences(shown: Sequence[Difference], count: int) -> None:
    for difference in shown:
        note(f"indelible: {difference}")
    if count > len(shown):
        note(f"indelible: and {count - len(shown)} more streams differ")
