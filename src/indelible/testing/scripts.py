"""What the state machine does to a store: strategies, and appends that know of those before them."""

from itertools import product
from typing import Final, get_args
from uuid import UUID

import msgspec
from hypothesis import strategies as st

from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.cursors import cursor_at
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import AggregateAppend, AppendRequest
from indelible.queries import Direction, EventQuery, QueryItem

KEYS: Final = (("Order", "1"), ("Order", "a/b é"), ("Order", "1-1"), ("Konto", "1"))
_EVENT_TYPES: Final = ("Placed", "Paid", "Päid")
_KINDS: Final = (
    "new",
    "same",
    "other",
    "new",
    "elsewhere",
    "respelled",
    "new",
    "part",
    "reversed",
    "joined",
    "mixed",
    "new",
)

_TEXTS: Final = (b"1", b'{"a":1,"b":[true,null]}', b'{"a":1,"a":2}', b'"\xc3\xa9"', b"12345678901234567890123", b"0")
_RESPELLED: Final = {
    b"1": b"1.0",
    b'{"a":1,"b":[true,null]}': b'{ "b": [true, null], "a": 1e0 }',
    b'"\xc3\xa9"': b'"\\u00e9"',
    b"0": b"-0.0",
}

directions: Final[st.SearchStrategy[Direction]] = st.sampled_from(get_args(Direction))
limits: Final = st.sampled_from((1, 2, 3, 5, 100))
versions: Final = st.none() | st.integers(0, 8)
snapshot_states: Final = st.sampled_from((None, {"n": 1.0}, [2**70], "é"))

# Mixes are made beforehand and drawn whole: a draw costs far more than what is done with it.
_EXPECTED_VERSIONS: Final[tuple[ExpectedVersion, ...]] = (*("any",) * 6, "exists", "none", 0, 1, 2, 3)
_some_tags: Final = ((), ("x",), ("z z", "y"))
_payloads: Final = (*map(msgspec.Raw, _TEXTS), b"\x00\xff")
_contents: Final = st.sampled_from([*product(_EVENT_TYPES, _some_tags, _payloads, (None, {"by": "é"}))])
_targets: Final = st.sampled_from([*product(KEYS, _EXPECTED_VERSIONS)])
_items: Final = st.sampled_from(
    [
        QueryItem(event_types, aggregate_types, tags)
        for event_types in ((), ("Placed",), ("Päid", "Paid"))
        for aggregate_types in ((), ("Konto",), ("Nothing", "Order"), ("Nothing",))
        for tags in ((), ("x",), ("y", "z z"), ("x", "y"))
    ]
)
queries: Final = st.builds(EventQuery, st.lists(_items, max_size=2).map(tuple))


_RECENT: Final = 4
"""Repeats are of recent appends, so that some are of the same batch."""


def _afters(most: int) -> st.SearchStrategy[int]:
    return st.sampled_from((most, max(most - 1, 0), most // 2, 0))


class Script:
    """Makes up appends: new ones, and earlier ones again, as they were or changed."""

    def __init__(self) -> None:
        self._sent: list[AggregateAppend] = []
        self._requests: list[tuple[AggregateAppend, ...]] = []
        self._ids = 0

    def append(self, data: st.DataObject) -> AggregateAppend:
        kind = data.draw(st.sampled_from(_KINDS)) if self._sent else "new"
        names, expected_version = data.draw(_targets)
        key = AggregateKey(*names)
        if kind == "new":
            append = AggregateAppend(key, self._new_events(data), expected_version)
            self._sent.append(append)
            return append
        earlier = data.draw(st.sampled_from(self._sent[-_RECENT:]))
        if kind != "elsewhere":
            key = earlier.key
        return AggregateAppend(key, self._changed(data, kind, earlier), expected_version)

    def request(self, data: st.DataObject, count: int, after_max: int) -> AppendRequest:
        """Of several aggregates; sometimes one that no store may take, because an aggregate stands in it again with an
        expected version."""
        if self._requests and data.draw(st.integers(0, 5)) == 0:
            appends = tuple(data.draw(st.permutations(data.draw(st.sampled_from(self._requests[-_RECENT:])))))
        else:
            appends = tuple(self.append(data) for _ in range(count))
            self._requests.append(appends)
        items = tuple(data.draw(st.lists(_items, max_size=2)))
        if not items:
            return AppendRequest(appends)
        return AppendRequest(appends, AppendCondition(items, cursor_at(data.draw(_afters(after_max)))))

    def _new_events(self, data: st.DataObject) -> tuple[NewEvent, ...]:
        return tuple(self._new_event(data) for _ in range(data.draw(st.integers(1, 3))))

    def _new_event(self, data: st.DataObject) -> NewEvent:
        self._ids += 1
        event_type, tags, payload, metadata = data.draw(_contents)
        return NewEvent(event_type, payload, event_id=UUID(int=self._ids), metadata=metadata, tags=tags)

    def _changed(self, data: st.DataObject, kind: str, earlier: AggregateAppend) -> tuple[NewEvent, ...]:
        events = earlier.events
        match kind:
            case "respelled":
                events = tuple(_with_data(event, _RESPELLED.get(event.event_data_raw)) for event in events)
            case "other":
                events = (*events[:-1], _with_data(events[-1], b'{"other":1}'))
            case "part":
                events = events[data.draw(st.integers(0, len(events) - 1)) :]
            case "reversed":
                events = events[::-1]
            case "joined":
                events = tuple(event for append in self._sent if append.key == earlier.key for event in append.events)
            case "mixed":
                events = tuple(data.draw(st.permutations((*events, self._new_event(data)))))
        return events


def _with_data(event: NewEvent, text: bytes | None) -> NewEvent:
    """The event with other data, if it holds JSON and there is any."""
    if text is None or event.content_type != "application/json":
        return event
    return NewEvent(
        event.event_type,
        msgspec.Raw(text),
        event_id=event.event_id,
        metadata=msgspec.Raw(event.metadata_raw),
        tags=event.tags,
    )
