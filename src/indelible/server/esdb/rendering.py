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
from indelible.server.esdb import answers
from indelible.server.esdb.filters import EventFilter
from indelible.server.esdb.links import LINK_TYPE, LinkStream, Resolved
from indelible.server.esdb.stream_metadata import Shown
from indelible.wire.esdb.messages import has_stream

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

    select: EventFilter | Shown | LinkStream | None
    """Of $all, of one stream, or those that a stream of links is made of; None: all of $all."""
    structured: bool
    """Whether ids are given as two halves."""
    resolve_links: bool

    def __call__(self, lines: Sequence[bytes], _: Sequence[Cursor] | None) -> bytes:
        """Frames, as :func:`frames_of` has them."""
        return b"".join([self._frame(event) for event in decode_events(b"\n".join(lines))])

    def _frame(self, event: RecordedEvent) -> bytes:
        place, is_shown = self._place(event), self._shows(event)
        if not is_shown:
            return _HEAD.pack(place, PASSED, 0)
        if isinstance(self.select, LinkStream):
            kind, content = (
                MESSAGE,
                answers.link_read(self.select, event, resolve_links=self.resolve_links, structured=self.structured),
            )
        elif self.resolve_links and event.event_type == LINK_TYPE:
            kind, content = LINK, recorded_line(event)
        else:
            kind, content = MESSAGE, answers.event_read(Resolved(event), structured=self.structured)
        return _HEAD.pack(place, kind, len(content)) + content

    def _place(self, event: RecordedEvent) -> int:
        match self.select:
            case Shown():
                return event.version - 1
            case LinkStream():
                return event.position - 1
            case _:
                return event.position

    def _shows(self, event: RecordedEvent) -> bool:
        match self.select:
            case None:
                return has_stream(event)
            case EventFilter():
                return self.select.matches(event)
            case _:
                return self.select.has(event)


def frames_of(data: bytes) -> deque[Frame]:
    """What was rendered, to be taken one by one: none is held longer than it must."""
    return deque(_frames_of(data))


def _frames_of(data: bytes) -> Iterator[Frame]:
    at = 0
    while at < len(data):
        place, kind, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size + length
        yield Frame(place, kind, data[at - length : at])
