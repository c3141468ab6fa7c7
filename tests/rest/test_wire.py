"""What the client encodes the server decodes as the same, and the other way round."""

from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indelible import errors
from indelible.conditions import AppendCondition
from indelible.cursors import cursor_at
from indelible.errors import IndelibleError, InvalidRequest, OutcomeUnknown
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import (
    AggregateAppend,
    AggregatePage,
    AppendedEvent,
    AppendRequest,
    AppendResult,
    AtomicAppendResult,
    FeedPage,
    Replay,
)
from indelible.operations import Operation
from indelible.operations import events as on_events
from indelible.queries import QueryItem
from indelible.wire import errors as wire_errors
from indelible.wire import json_events, operation_json

NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.builds(
    NewEvent, NAMES, JSON, metadata=st.dictionaries(NAMES, JSON, max_size=2), tags=st.lists(NAMES, max_size=3)
) | st.builds(NewEvent, NAMES, st.binary(max_size=20), content_type=st.sampled_from([None, "image/png"]))
KEYS = st.builds(AggregateKey, NAMES.filter(lambda name: "-" not in name), NAMES)
APPENDS = st.builds(
    AggregateAppend,
    KEYS,
    st.lists(EVENTS, min_size=1, max_size=3).map(tuple),
    st.sampled_from(["any", "exists", "none", 0, 7]),
)
ITEMS = st.builds(QueryItem, *[st.lists(NAMES, max_size=2).map(tuple)] * 3)


@given(APPENDS)
def test_append(append: AggregateAppend):
    """Of what the general codec sends."""
    asked = on_events.Append(**msgspec.structs.asdict(json_events.append_body(append)))
    _, _, body = operation_json.encode_parameters(on_events.APPEND, asked)
    assert body is not None
    assert json_events.decode_append(body, append.key) == append


@given(st.lists(APPENDS, min_size=1, max_size=3), st.lists(ITEMS, min_size=1, max_size=2), st.integers(0, 2**53 - 1))
def test_atomic_append_and_batch(appends: list[AggregateAppend], items: list[QueryItem], after: int):
    condition = AppendCondition(tuple(items), cursor_at(after))
    decoded = json_events.decode_atomic_append(
        json_events.encode_atomic_append(AppendRequest(tuple(appends), condition))
    )
    assert decoded == AppendRequest(tuple(appends), condition)
    bodies = [json_events.encode_batch_append(append) for append in appends]
    assert list(json_events.decode_batch(json_events.join_batch(bodies))) == appends


RESULT = AppendResult("a", "é", 2, 7, (AppendedEvent(uuid4(), 2, 7),), replayed=True)
LINES = b'{"event_id":"x"}\n{"a":"\\n,"}'


@pytest.mark.parametrize(
    ("operation", "value"),
    [
        (on_events.APPEND, RESULT),
        (on_events.APPEND_ATOMIC, AtomicAppendResult(7, (RESULT, RESULT))),
        (on_events.READ_AGGREGATE, AggregatePage(LINES, 2, 9, 4)),
        (on_events.READ_AGGREGATE, AggregatePage(b"", 0, 9, None)),
        (on_events.READ_FEED, FeedPage(LINES, 2, cursor_at(5), at_end=False)),
        (on_events.REPLAY, Replay(None, AggregatePage(LINES, 2, 9, None))),
    ],
)
def test_answers(operation: Operation[Any, Any], value: Any):
    encoded = operation_json.encode_answer(operation, value)
    assert operation_json.decode_answer(operation, encoded) == value
    assert operation_json.encode_any_answer(operation, value) == encoded, "the fast way says what the general one says"


def test_batch_results():
    error = errors.VersionConflict("no", aggregate_type="a", aggregate_id="1", expected_version=1, actual_version=2)
    one, other = json_events.decode_batch_results(json_events.encode_batch_results([RESULT, error]))
    assert one == RESULT
    assert isinstance(other, errors.VersionConflict)
    assert (other.message, other.fields) == (error.message, error.fields)


def test_an_error_comes_back_as_itself():
    error = InvalidRequest("is wrong", pointer="/a", more=[1])
    decoded = wire_errors.decode_problem(400, wire_errors.encode_problem(error))
    assert (type(decoded), decoded.message, decoded.fields) == (InvalidRequest, "is wrong", error.fields)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"code":1}', b"\xff"])
def test_a_proxys_answer(body: bytes):
    assert isinstance(wire_errors.decode_problem(502, body), OutcomeUnknown)
    assert type(wire_errors.decode_problem(404, body)) is IndelibleError


def test_an_answer_that_is_none():
    with pytest.raises(errors.InternalError):
        operation_json.decode_answer(on_events.APPEND, b"<html>")


@given(st.binary(max_size=60) | JSON.map(lambda value: msgspec.json.encode(value, enc_hook=str)))
def test_no_body_does_worse_than_be_refused(body: bytes):
    for decode in (json_events.decode_atomic_append, json_events.decode_batch):
        with pytest.raises(InvalidRequest):
            decode(body)
