"""Stream metadata: the newest event of the stream ``$$NAME``, whose data says how much of the stream NAME is shown.

It hides events from the readers of this wire. The log keeps all of them, and every other API shows them:

- ``$tb``: those before this revision. The largest number there is deletes the stream: all that it had then is hidden,
  and what is appended later is shown, with the revisions going on;
- ``$maxCount``: all but so many;
- ``$maxAge``: those that are older than so many seconds.

``$acl`` and members of the callers' own are kept and say nothing here.

Clients add a member of their own to what they read, and write it back. So who reads the newest metadata is shown a
``$tb`` that hides the same when it is written again: see :func:`metadata_shown`.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from indelible.conditions import ExpectedVersion
from indelible.errors import AggregateNotFound, Forbidden
from indelible.events import AggregateKey, RecordedEvent
from indelible.eventstore import EventStore
from indelible.limits import NAME_LENGTH_MAX
from indelible.wire.esdb.messages import METADATA_TYPE
from indelible.wire.esdb.payloads import payload_of
from indelible.wire.esdb.stream_names import METADATA_PREFIX, WHOLE, aggregate_of, metadata_stream_of

DELETED: Final = 2**63 - 1
"""``$tb`` of a deleted stream."""


class _Said(msgspec.Struct, frozen=True):
    """The members of stream metadata that mean something here."""

    max_count: Annotated[int, msgspec.Meta(ge=1)] | None = msgspec.field(name="$maxCount", default=None)
    max_age_s: Annotated[int, msgspec.Meta(ge=1)] | None = msgspec.field(name="$maxAge", default=None)
    truncate_before: Annotated[int, msgspec.Meta(ge=0)] = msgspec.field(name="$tb", default=0)


class StreamMetadata(NamedTuple):
    """What the newest metadata of a stream says."""

    max_count: int | None = None
    max_age_s: int | None = None
    truncate_before: int = 0
    position: int = 0
    """Where it was written; 0: never."""
    version: int = 0
    """Of the stream of metadata."""
    last_revision: int | None = None
    """Of what hides events and says so: the last revision that it hides. An imported stream may have other revisions
    than ``$tb`` speaks of."""


NO_METADATA: Final = StreamMetadata()
_NOTHING_SAID: Final = _Said()
_decoder: Final = msgspec.json.Decoder(_Said)


class Shown(msgspec.Struct, frozen=True):
    """How much of a stream is shown."""

    from_version: int = 1
    since: datetime | None = None

    def has(self, event: RecordedEvent) -> bool:
        return event.version >= self.from_version and (self.since is None or event.timestamp >= self.since)


ALL_SHOWN: Final = Shown()


class StreamState(NamedTuple):
    """What is expected of streams is said of this."""

    version: int
    """0 where there is no such stream."""
    metadata: StreamMetadata
    is_deleted: bool
    """Whether there are events, and a deletion hides all."""

    def fits(self, expected: ExpectedVersion) -> bool:
        """A deleted stream does not exist, and yet has its revisions."""
        exists = self.version > 0 and not self.is_deleted
        if isinstance(expected, int):
            return self.version == expected
        return expected == "any" or exists == (expected == "exists")


def may_have_metadata(stream: str) -> bool:
    """Whether the name leaves room for that of the stream of metadata."""
    return len(metadata_stream_of(stream)) <= NAME_LENGTH_MAX


async def read_metadata(store: EventStore, stream: str) -> StreamMetadata:
    """The newest of the stream. What is not as it should be says nothing."""
    if stream.startswith(METADATA_PREFIX):
        return NO_METADATA  # there is no metadata of metadata
    if not may_have_metadata(stream):
        return NO_METADATA
    event = await last_event(store, aggregate_of(metadata_stream_of(stream)))
    return NO_METADATA if event is None else _metadata_of(event)


def _metadata_of(event: RecordedEvent) -> StreamMetadata:
    if event.event_type != METADATA_TYPE:
        return StreamMetadata(position=event.position, version=event.version)
    payload = payload_of(event)
    said = _decoded(payload.data)
    return StreamMetadata(
        said.max_count, said.max_age_s, said.truncate_before, event.position, event.version, payload.mark.last_revision
    )


def _decoded(data: bytes) -> _Said:
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _NOTHING_SAID


async def metadata_shown(store: EventStore, event: RecordedEvent) -> bytes | None:
    """What is shown as the data of an event that is the newest of its stream: where that is metadata that hides events
    by other revisions than its ``$tb`` says, or that deleted a stream which lives again, ``$tb`` is the first revision
    that is shown now. None: the data as it is."""
    stream = event.aggregate_id.removeprefix(METADATA_PREFIX)
    if event.key != AggregateKey(WHOLE, METADATA_PREFIX + stream) or not stream or stream.startswith(METADATA_PREFIX):
        return None
    metadata = _metadata_of(event)
    before = metadata.truncate_before
    if before == DELETED:
        before = await _shown_after_deletion(store, aggregate_of(stream), metadata)
    elif before and metadata.last_revision is not None:
        before = metadata.last_revision + 1
    if before == metadata.truncate_before:
        return None
    members = msgspec.json.decode(payload_of(event).data, type=dict[str, msgspec.Raw])
    members["$tb"] = msgspec.Raw(b"%d" % before)
    return msgspec.json.encode(members)


async def _shown_after_deletion(store: EventStore, key: AggregateKey, metadata: StreamMetadata) -> int:
    """The first revision that is shown; ``DELETED`` where none is."""
    try:
        version = await version_of(store, key)
    except Forbidden:
        # Who may write metadata and not read the stream must not delete it anew all the same.
        return DELETED if metadata.last_revision is None else metadata.last_revision + 1
    first = await _first_after_deletion(store, key, metadata, version)
    return DELETED if first > version else first - 1


async def shown_of(store: EventStore, stream: str, version: int) -> Shown:
    """``version``: the stream's."""
    metadata = await read_metadata(store, stream)
    if metadata is NO_METADATA:
        return ALL_SHOWN
    from_version = 1
    if metadata.last_revision is not None:
        from_version = metadata.last_revision + 2
    elif metadata.truncate_before == DELETED:
        from_version = await _first_after_deletion(store, aggregate_of(stream), metadata, version)
    elif metadata.truncate_before:
        from_version = metadata.truncate_before + 1
    if metadata.max_count is not None:
        from_version = max(from_version, version - metadata.max_count + 1)
    since = None
    if metadata.max_age_s is not None:
        since = _before_now(metadata.max_age_s)
    return Shown(from_version, since)


def _before_now(age_s: int) -> datetime | None:
    """None where there is no such time: nothing is older."""
    try:
        return datetime.now(UTC) - timedelta(seconds=age_s)
    except OverflowError:
        return None


async def state_of(store: EventStore, stream: str) -> StreamState:
    metadata = await read_metadata(store, stream)
    key = aggregate_of(stream)
    version = await version_of(store, key)
    is_deleted = False
    if version and metadata.truncate_before == DELETED:
        is_deleted = await _first_after_deletion(store, key, metadata, version) > version
    return StreamState(version, metadata, is_deleted)


async def is_deleted(store: EventStore, stream: str) -> bool:
    """Whether there are events in the stream, and a deletion hides all."""
    return (await state_of(store, stream)).is_deleted


async def version_of(store: EventStore, key: AggregateKey) -> int:
    """0 where there is no such stream."""
    last = await last_event(store, key)
    return 0 if last is None else last.version


async def last_event(store: EventStore, key: AggregateKey) -> RecordedEvent | None:
    return await event_at(store, key, direction="backward")


async def _first_after_deletion(store: EventStore, key: AggregateKey, metadata: StreamMetadata, version: int) -> int:
    """The first version that a deletion does not hide. Where it does not say so itself, it is looked for by position:
    both grow together."""
    if metadata.last_revision is not None:
        return metadata.last_revision + 2
    return await first_version_after(store, key, metadata.position, version)


async def first_version_after(store: EventStore, key: AggregateKey, position: int, version: int) -> int:
    """Of an aggregate of that ``version``, the first that is behind a position of the log."""
    low, high = 1, version + 1
    while low < high:
        middle = (low + high) // 2
        event = await event_at(store, key, from_version=middle)
        if event is None or event.position > position:
            high = middle
        else:
            low = middle + 1
    return low


async def event_at(store: EventStore, key: AggregateKey, **where: Any) -> RecordedEvent | None:
    try:
        page = await store.read_aggregate(key.aggregate_type, key.aggregate_id, limit=1, **where)
    except AggregateNotFound:
        return None
    return page.events[0] if page.count else None
