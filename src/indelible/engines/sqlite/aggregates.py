"""Reads of aggregates, single events, snapshots and catalogues, as plain functions: through the index and the tail."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import apsw
import msgspec

from indelible.engines.engine import Lines
from indelible.engines.feed_walk import Range
from indelible.engines.rows import check_lines, lines_in_places, names_of, range_of, snapshot_of
from indelible.engines.sqlite.connections import directed, fetch, statement
from indelible.engines.sqlite.reads import Selection, render
from indelible.engines.sqlite.tail import Stretch
from indelible.engines.sqlite.views import View
from indelible.errors import StoreCorrupted
from indelible.events import AggregateKey, Snapshot, timestamp_from_us, timestamp_to_us
from indelible.eventstore import AggregateInfo, AggregateTypeInfo, EventTypeInfo
from indelible.limits import PAGE_SIZE_BYTES_MAX, VERSION_MAX
from indelible.queries import Direction

# --- Aggregates ------------------------------------------------------------------------------------------------------


def find_aggregate(view: View, key: AggregateKey) -> tuple[int, int]:
    """The position of an aggregate's first event, and its version; zeros when it does not exist."""
    stretch = view.tail.stretch(key)
    if stretch is not None:
        return stretch.aggregate, stretch.first_version + len(stretch.positions) - 1
    rows = fetch(view.connection, statement("find_aggregate"), names_of(key))
    return _sound(key, *rows[0]) if rows else (0, 0)


def find_aggregates(view: View, keys: Sequence[AggregateKey]) -> dict[AggregateKey, tuple[int, int]]:
    """The same of many; those that exist."""
    if len(keys) == 1:
        aggregate, version = find_aggregate(view, keys[0])
        return {keys[0]: (aggregate, version)} if version else {}
    found: dict[AggregateKey, tuple[int, int]] = {}
    missing: list[AggregateKey] = []
    for key in keys:
        stretch = view.tail.stretch(key)
        if stretch is None:
            missing.append(key)
        else:
            found[key] = stretch.aggregate, stretch.first_version + len(stretch.positions) - 1
    if missing:
        names = msgspec.json.encode([(key.aggregate_type, key.aggregate_id) for key in missing]).decode()
        for place, aggregate, version in fetch(view.connection, statement("find_aggregates"), {"names": names}):
            found[missing[place]] = _sound(missing[place], aggregate, version)
    return found


def _sound(key: AggregateKey, aggregate: int, version: int | None) -> tuple[int, int]:
    if version is None:
        raise StoreCorrupted(f"the index has {key.stream}, but none of its versions", position=aggregate)
    return aggregate, version


def read_aggregate(
    view: View, key: AggregateKey, *, from_version: int, to_version: int, direction: Direction, limit: int
) -> tuple[int, Lines]:
    asked = Range(max(from_version, 1), to_version, direction)
    stretch = view.tail.stretch(key)
    lines: bytes | None = None
    if stretch is None:
        aggregate, version, lines = _read_indexed(view, key, asked, limit)
    else:
        aggregate, version = stretch.aggregate, stretch.first_version + len(stretch.positions) - 1
    versions = Range(asked.low, min(to_version, version), direction)
    if versions.is_empty:
        return version, Lines(b"", 0, to_version if direction == "forward" else from_version, True)
    page = versions.first(limit)
    count = len(page)
    if lines is None:
        lines, count = render(view.connection, _selection(aggregate, stretch, page), count)
    else:
        check_lines(lines, count)
    reached = page.place(count)
    return version, Lines(lines, count, reached, versions.beyond(reached).is_empty)


def _read_indexed(view: View, key: AggregateKey, asked: Range, limit: int) -> tuple[int, int, bytes | None]:
    """Position of the first event and version of an aggregate that is not in the tail, and the page that was asked for,
    if it is within its size."""
    values = {
        **names_of(key), "first": asked.low, "last": min(asked.high, VERSION_MAX), "limit": limit,
        "size_bytes_max": PAGE_SIZE_BYTES_MAX,
    }  # fmt: skip
    rows = fetch(view.connection, directed("read_aggregate", asked.direction), values)
    return (*_sound(key, *rows[0][:2]), rows[0][2]) if rows else (0, 0, None)


def _selection(aggregate: int, stretch: Stretch | None, page: Range) -> Selection:
    """An aggregate's events of some versions: those of the index, and those of the tail after them."""
    first_in_tail = VERSION_MAX + 1 if stretch is None else stretch.first_version
    positions = [] if stretch is None else stretch.positions
    newer = positions[max(page.low - first_in_tail, 0) : max(page.high - first_in_tail + 1, 0)]
    return Selection(
        "position IN (SELECT position FROM versions WHERE aggregate = :aggregate AND version BETWEEN :first AND :last"
        " UNION ALL SELECT value FROM json_each(:positions))",
        page.direction,
        {
            "aggregate": aggregate,
            "first": page.low,
            "last": min(page.high, first_in_tail - 1),
            "positions": msgspec.json.encode(newer).decode(),
        },
    )


def locate_version(view: View, key: AggregateKey, version: int) -> tuple[int, int] | None:
    stretch = view.tail.stretch(key)
    if stretch is not None and version >= stretch.first_version:
        place = min(version - stretch.first_version, len(stretch.positions) - 1)
        return stretch.first_version + place, stretch.positions[place]
    rows = fetch(view.connection, statement("locate_version"), {**names_of(key), "version": version})
    return (rows[0][0], rows[0][1]) if rows else None


def locate_position(view: View, position: int) -> tuple[AggregateKey, int] | None:
    """Whose event stands at a position, and its version; as tail and index say, which may be sound where the event's
    row is not. None when they do not know."""
    found = view.tail.key_at(position)
    if found is not None:
        return found
    for name in ("locate_by_row", "locate_by_index"):
        with contextlib.suppress(apsw.CorruptError):
            for aggregate, version in fetch(view.connection, statement(name), {"position": position}):
                key = _name_of(view, aggregate)
                if key is not None:
                    return key, version
    return None


def _name_of(view: View, aggregate: int) -> AggregateKey | None:
    for name in ("name_by_row", "name_by_index"):
        # Names that are no text any more say nothing either.
        with contextlib.suppress(apsw.CorruptError, UnicodeError):
            for names in fetch(view.connection, statement(name), {"aggregate": aggregate}):
                return AggregateKey(*names)
    return None


# --- Single events ---------------------------------------------------------------------------------------------------


def find_event(view: View, event_id: UUID) -> int | None:
    """Its position."""
    position = view.tail.position_of(event_id.bytes)
    if position is None:
        rows = fetch(view.connection, statement("find_event"), {"event_id": event_id.bytes})
        position = rows[0][0] if rows else None
    return position


def read_event(view: View, event_id: UUID) -> bytes | None:
    position = find_event(view, event_id)
    if position is None:
        return None
    rows = fetch(view.connection, statement("read_line"), {"position": position})
    if not rows:
        raise StoreCorrupted(f"the event at position {position} is not there", position=position)
    line: bytes = rows[0][0]
    check_lines(line, 1)
    return line


def read_events(
    view: View, event_ids: Sequence[UUID], *, size_bytes_max: int = PAGE_SIZE_BYTES_MAX
) -> list[bytes | None]:
    positions = _find_events(view, event_ids)
    places = [place for place, position in enumerate(positions) if position is not None]
    values = {"positions": msgspec.json.encode([positions[place] for place in places]).decode()}
    ((lines, count),) = fetch(view.connection, statement("read_lines"), {**values, "size_bytes_max": size_bytes_max})
    read = len(positions) if count == len(places) else places[count]
    return lines_in_places(lines, places[:count], read)


def _find_events(view: View, event_ids: Sequence[UUID]) -> list[int | None]:
    """Their positions."""
    ids = [one.bytes for one in event_ids]
    found = dict(view.tail.positions_of(ids))
    missing = msgspec.json.encode([one.hex() for one in ids if one not in found]).decode()
    for event_id, position in fetch(view.connection, statement("stored_ids"), {"event_ids": missing}):
        found[bytes.fromhex(event_id)] = position
    return [found.get(one) for one in ids]


def _timestamps(view: View, positions: Iterable[int]) -> dict[int, datetime]:
    """Of the events at some positions."""
    values = {"positions": msgspec.json.encode(list(positions)).decode()}
    rows = fetch(view.connection, statement("read_timestamps"), values)
    try:
        return {position: msgspec.convert(timestamp, datetime) for position, timestamp in rows}
    except ValueError as error:
        raise StoreCorrupted(f"a stored event's timestamp is damaged: {error}") from error


# --- Catalogues ------------------------------------------------------------------------------------------------------


class _Place(msgspec.Struct, frozen=True):
    aggregate_id: str
    version: int
    first: int
    last: int


def _infos(view: View, aggregate_type: str, places: Sequence[_Place]) -> list[AggregateInfo]:
    times = _timestamps(view, {position for place in places for position in (place.first, place.last)})
    try:
        return [
            AggregateInfo(aggregate_type, place.aggregate_id, place.version, times[place.first], times[place.last])
            for place in places
        ]
    except KeyError as missing:
        position = missing.args[0]
        raise StoreCorrupted(f"the event at position {position} is not there", position=position) from None


def _place_of(key: AggregateKey, stretch: Stretch) -> _Place:
    version = stretch.first_version + len(stretch.positions) - 1
    return _Place(key.aggregate_id, version, stretch.aggregate, stretch.positions[-1])


def read_aggregate_info(view: View, key: AggregateKey) -> AggregateInfo | None:
    stretch = view.tail.stretch(key)
    if stretch is not None:
        return _infos(view, key.aggregate_type, [_place_of(key, stretch)])[0]
    rows = fetch(view.connection, statement("locate_version"), {**names_of(key), "version": VERSION_MAX})
    if not rows:
        return None
    version, last, first = rows[0]
    return _infos(view, key.aggregate_type, [_Place(key.aggregate_id, version, first, last)])[0]


def list_event_types(view: View, *, prefix: str = "", aggregate_prefix: str = "") -> tuple[EventTypeInfo, ...]:
    of_aggregates = {f"aggregate_{name}": value for name, value in range_of(aggregate_prefix).items()}
    rows = fetch(view.connection, statement("list_event_types"), range_of(prefix) | of_aggregates)
    counts = view.tail.count_types(rows[0][4] if rows else 0)
    named = [EventTypeInfo(name, kind, events + counts[type_id]) for type_id, name, kind, events, _ in rows]
    return tuple(one for one in named if one.events)


def list_aggregate_types(view: View, *, prefix: str = "") -> tuple[AggregateTypeInfo, ...]:
    rows = fetch(view.connection, statement("list_aggregate_types"), range_of(prefix))
    aggregates = view.tail.count_aggregates(rows[0][2] if rows else 0)
    for aggregate_type, count, _ in rows:
        aggregates[aggregate_type] += count
    events: Counter[str] = Counter()
    for one in list_event_types(view, aggregate_prefix=prefix):
        events[one.aggregate_type] += one.events
    return tuple(AggregateTypeInfo(name, aggregates[name], events[name]) for name in sorted(events, key=str.encode))


def list_aggregates(
    view: View, *, aggregate_type: str | None, prefix: str = "", after: AggregateKey | None, limit: int
) -> tuple[AggregateInfo, ...]:
    names = [aggregate_type] if aggregate_type else [row.aggregate_type for row in list_aggregate_types(view)]
    found: list[AggregateInfo] = []
    for name in names:
        if after is not None and name.encode() < after.aggregate_type.encode():
            continue
        after_id = after.aggregate_id if after is not None and name == after.aggregate_type else ""
        found += _list_of_type(view, name, prefix, after_id, limit - len(found))
        if len(found) >= limit:
            break
    return tuple(found)


def _list_of_type(view: View, aggregate_type: str, prefix: str, after_id: str, limit: int) -> list[AggregateInfo]:
    values = {
        "aggregate_type": aggregate_type, "first": max(prefix, after_id), "behind": range_of(prefix)["behind"],
        "after": after_id, "limit": limit,
    }  # fmt: skip
    places = {row[0]: _Place(*row) for row in fetch(view.connection, statement("list_aggregates"), values)}
    for key in view.tail.keys(aggregate_type, prefix, after_id):
        stretch = view.tail.stretch(key)
        if stretch is not None:
            place = _place_of(key, stretch)
            known = places.get(key.aggregate_id)
            if known is None or known.version < place.version:
                places[key.aggregate_id] = place
    ordered = sorted(places.values(), key=lambda place: place.aggregate_id.encode())
    return _infos(view, aggregate_type, ordered[:limit])


# --- Snapshots -------------------------------------------------------------------------------------------------------


def load_snapshot(view: View, key: AggregateKey, *, at_version: int | None) -> Snapshot | None:
    aggregate, _ = find_aggregate(view, key)
    values = {"aggregate": aggregate, "at_version": VERSION_MAX if at_version is None else at_version}
    for version, timestamp_us, state, metadata in fetch(view.connection, statement("load_snapshot"), values):
        return snapshot_of(key, version, timestamp_from_us(timestamp_us), state, metadata)
    return None


def snapshot_values(aggregate: int, snapshot: Snapshot) -> dict[str, int | str]:
    return {
        "aggregate": aggregate,
        "version": snapshot.version,
        "timestamp_us": timestamp_to_us(snapshot.timestamp),
        "state": bytes(snapshot.state_raw).decode(),
        "metadata": bytes(snapshot.metadata_raw).decode(),
    }
