"""A history: every request with its answer, when the one left and the other came, and the store's log at the end.

``checker`` says whether such a history can be true of a store that keeps its promises. Everything here
is a value that fits into one line of JSON; ``recording`` makes them.
"""

from collections.abc import Sequence
from hashlib import blake2b
from uuid import UUID

import msgspec

from indelible.conditions import ExpectedVersion
from indelible.events import AggregateKey, NewEvent, RecordedEvent, recorded_line, timestamp_to_us
from indelible.queries import QueryItem

# --- Requests --------------------------------------------------------------------------------------------------------


class SentEvent(msgspec.Struct, frozen=True, array_like=True):
    event_id: UUID
    event_type: str
    tags: tuple[str, ...]
    content: str
    """Of :func:`content_digest`. A history sends an event always in the same words, so equal digests are asked for."""


class Part(msgspec.Struct, frozen=True, array_like=True):
    """What an append holds for one aggregate."""

    key: AggregateKey
    events: tuple[SentEvent, ...]
    expected_version: ExpectedVersion


class Condition(msgspec.Struct, frozen=True, array_like=True):
    fail_if: tuple[QueryItem, ...]
    after: int


class Append(msgspec.Struct, frozen=True, array_like=True, tag="append"):
    parts: tuple[Part, ...]
    condition: Condition | None = None

    @property
    def ids(self) -> tuple[UUID, ...]:
        return tuple([event.event_id for part in self.parts for event in part.events])


class ReadHead(msgspec.Struct, frozen=True, array_like=True, tag="head"):
    pass


class ReadAggregate(msgspec.Struct, frozen=True, array_like=True, tag="aggregate"):
    key: AggregateKey
    from_version: int = 1


class ReadFeed(msgspec.Struct, frozen=True, array_like=True, tag="feed"):
    """A page of the whole log."""

    after: int


class ReadEvent(msgspec.Struct, frozen=True, array_like=True, tag="event"):
    event_id: UUID


Request = Append | ReadHead | ReadAggregate | ReadFeed | ReadEvent

# --- Answers ---------------------------------------------------------------------------------------------------------


class Place(msgspec.Struct, frozen=True, array_like=True):
    event_id: UUID
    version: int
    position: int


class PartStored(msgspec.Struct, frozen=True, array_like=True):
    version: int
    position: int
    events: tuple[Place, ...]


class Acknowledged(msgspec.Struct, frozen=True, array_like=True, tag="acknowledged"):
    parts: tuple[PartStored, ...]
    replayed: bool = False


class VersionConflicted(msgspec.Struct, frozen=True, array_like=True, tag="version_conflict"):
    key: AggregateKey
    actual_version: int


class IdConflicted(msgspec.Struct, frozen=True, array_like=True, tag="event_id_conflict"):
    event_id: UUID


class ConditionRefused(msgspec.Struct, frozen=True, array_like=True, tag="condition_failed"):
    position: int


class Unserved(msgspec.Struct, frozen=True, array_like=True, tag="unserved"):
    """Not now: nothing was stored, nothing was read."""

    code: str


class Unknown(msgspec.Struct, frozen=True, array_like=True, tag="unknown"):
    """It may be stored, now or later."""

    reason: str


class Unexpected(msgspec.Struct, frozen=True, array_like=True, tag="unexpected"):
    """An answer that no request of a history deserves, such as ``invalid_request``."""

    code: str
    message: str


class Line(msgspec.Struct, frozen=True, array_like=True):
    """An event as a reader saw it."""

    position: int
    version: int
    event_id: UUID
    digest: str
    """Of its whole line, to the byte."""


class HeadSeen(msgspec.Struct, frozen=True, array_like=True, tag="head"):
    position: int


class AggregateSeen(msgspec.Struct, frozen=True, array_like=True, tag="aggregate"):
    version: int
    events: tuple[Line, ...]
    next_version: int | None


class FeedSeen(msgspec.Struct, frozen=True, array_like=True, tag="feed"):
    events: tuple[Line, ...]
    cursor: int
    at_end: bool


class EventSeen(msgspec.Struct, frozen=True, array_like=True, tag="event"):
    event: Line


class NotFound(msgspec.Struct, frozen=True, array_like=True, tag="not_found"):
    """No such event, or no such aggregate."""


Outcome = (
    Acknowledged | VersionConflicted | IdConflicted | ConditionRefused | Unserved | Unknown | Unexpected
    | HeadSeen | AggregateSeen | FeedSeen | EventSeen | NotFound
)  # fmt: skip

# --- Histories -------------------------------------------------------------------------------------------------------


class Operation(msgspec.Struct, frozen=True, array_like=True):
    """One attempt. Times are of one monotonic clock for all: ``invoked_ns`` is taken before the request can have left,
    ``completed_ns`` when the answer is there."""

    client: str
    invoked_ns: int
    completed_ns: int
    request: Request
    outcome: Outcome
    partition: int = 0
    """What it says of which partition. Of a store of several, what concerns all of them is noted once for each."""


class LoggedEvent(msgspec.Struct, frozen=True):
    """An event of the final log."""

    line: Line
    key: AggregateKey
    timestamp_us: int
    event_type: str
    tags: tuple[str, ...]
    content: str

    @property
    def event_id(self) -> UUID:
        return self.line.event_id

    @property
    def position(self) -> int:
        return self.line.position

    @property
    def version(self) -> int:
        return self.line.version


class History(msgspec.Struct, frozen=True):
    operations: Sequence[Operation]
    """In any order, of any number of clients."""
    log: Sequence[LoggedEvent]
    """All that the store holds after ``start``, read when every operation was over, in the order that it was read."""
    followers: frozenset[str] = frozenset()
    """Clients whose reads of the feed are to show every event once, in order, up to the end of the log."""
    start: int = 0
    """The head when the history began. The history's aggregates did not exist then."""


def digest(line: bytes) -> str:
    return blake2b(line, digest_size=8).hexdigest()


def content_digest(event: NewEvent) -> str:
    """Of what the sender of an event decides, its id and aggregate aside."""
    parts = (event.event_type.encode(), event.content_type.encode(), event.event_data_raw, event.metadata_raw)
    return digest(b"\0".join((*parts, *(tag.encode() for tag in event.tags))))


def sent_event(event: NewEvent) -> SentEvent:
    return SentEvent(event.event_id, event.event_type, event.tags, content_digest(event))


def line_of(event: RecordedEvent) -> Line:
    return Line(event.position, event.version, event.event_id, digest(recorded_line(event)))


def logged_event(event: RecordedEvent) -> LoggedEvent:
    return LoggedEvent(
        line_of(event), event.key, timestamp_to_us(event.timestamp), event.event_type, event.tags,
        content_digest(NewEvent.from_recorded(event)),
    )  # fmt: skip


def is_same(key: AggregateKey, sent: SentEvent, stored: LoggedEvent) -> bool:
    """Whether a stored event is what was sent for this aggregate, its id aside."""
    return key == stored.key and sent.content == stored.content
