"""Events as the messages that subscriptions send, in the pages that all subscriptions share.

A page holds a frame for each event that was looked at: whoever is not shown the event hears no more than its place.
"""

import struct
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from indelible.cursors import Cursor
from indelible.events import RecordedEvent, decode_events, recorded_line
from indelible.server.esdb.filters import EventFilter
from indelible.server.esdb.stream_metadata import Shown
from indelible.wire.esdb.messages import fill_event, has_stream
from indelible.wire.esdb.pb import streams_pb2 as pb

LINK_TYPE: Final = "$>"
_HEAD: Final = struct.Struct(">QBI")
"""Place, kind, and the length of what follows in bytes."""
PASSED, MESSAGE, LINK = range(3)
"""An event that is not shown; one that is, as its message; a link that is to be resolved, as its line."""


class Frame(NamedTuple):
    """What there is to say of one event."""

    place: int
    """Its position; in one stream its revision."""
    kind: int
    content: bytes


class Rendering(msgspec.Struct, frozen=True):
    """How events are rendered, and which. Equal ones do it alike."""

    select: EventFilter | Shown | None
    """Of $all, of one stream; None: all of $all."""
    structured: bool
    """Whether ids are given as two halves."""
    resolves_links: bool

    def __call__(self, lines: Sequence[bytes], _: Sequence[Cursor] | None) -> bytes:
        """Frames, as :func:`frames_of` has them."""
        return b"".join([self._frame(event) for event in decode_events(b"\n".join(lines))])

    def _frame(self, event: RecordedEvent) -> bytes:
        place = event.version - 1 if isinstance(self.select, Shown) else event.position
        if not self._shows(event):
            return _HEAD.pack(place, PASSED, 0)
        is_link = self.resolves_links and event.event_type == LINK_TYPE
        content = recorded_line(event) if is_link else encode_event(event, structured=self.structured)
        return _HEAD.pack(place, LINK if is_link else MESSAGE, len(content)) + content

    def _shows(self, event: RecordedEvent) -> bool:
        match self.select:
            case None:
                return has_stream(event)
            case Shown():
                return self.select.has(event)
            case _:
                return self.select.matches(event)


def encode_event(event: RecordedEvent, *, structured: bool) -> bytes:
    message = pb.ReadResp()
    fill_event(message.event.event, event, structured=structured)
    message.event.commit_position = event.position
    return message.SerializeToString()


def frames_of(data: bytes) -> deque[Frame]:
    """What was rendered, to be taken one by one: none is held longer than it must."""
    return deque(_frames_of(data))


def _frames_of(data: bytes) -> Iterator[Frame]:
    at = 0
    while at < len(data):
        place, kind, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size + length
        yield Frame(place, kind, data[at - length : at])
