"""What the client encodes the server decodes as the same, and the other way round."""

from collections.abc import Callable
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
from indelible.queries import QueryItem
from indelible.wire import errors as wire_errors
from indelible.wire import requests, responses

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
    assert requests.decode_append(requests.encode_append(append), append.key) == append


@given(st.lists(APPENDS, min_size=1, max_size=3), st.lists(ITEMS, min_size=1, max_size=2), st.integers(0, 2**53 - 1))
def test_atomic_append_and_batch(appends: list[AggregateAppend], items: list[QueryItem], after: int):
    condition = AppendCondition(tuple(items), cursor_at(after))
    decoded = requests.decode_atomic_append(requests.encode_atomic_append(appends, condition))
    assert decoded == AppendRequest(tuple(appends), condition)
    bodies = [requests.encode_batch_append(append) for append in appends]
    assert list(requests.decode_batch(requests.join_batch(bodies))) == appends


RESULT = AppendResult("a", "é", 2, 7, (AppendedEvent(uuid4(), 2, 7),), replayed=True)
LINES = b'{"event_id":"x"}\n{"a":"\\n,"}'


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("append_result", RESULT),
        ("atomic_append_result", AtomicAppendResult(7, (RESULT, RESULT))),
        ("aggregate_page", AggregatePage(LINES, 2, 9, 4)),
        ("aggregate_page", AggregatePage(b"", 0, 9, None)),
        ("feed_page", FeedPage(LINES, 2, cursor_at(5), at_end=False)),
        ("replay", Replay(None, AggregatePage(LINES, 2, 9, None))),
    ],
)
def test_answers(name: str, value: Any):
    encode: Callable[[Any], bytes] = getattr(responses, f"encode_{name}")
    assert getattr(responses, f"decode_{name}")(encode(value)) == value


def test_batch_results():
    error = errors.VersionConflict("no", aggregate_type="a", aggregate_id="1", expected_version=1, actual_version=2)
    one, other = responses.decode_batch_results(responses.encode_batch_results([RESULT, error]))
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
        responses.decode_append_result(b"<html>")


@given(st.binary(max_size=60) | JSON.map(lambda value: msgspec.json.encode(value, enc_hook=str)))
def test_no_body_does_worse_than_be_refused(body: bytes):
    for decode in (requests.decode_atomic_append, requests.decode_batch):
        with pytest.raises(InvalidRequest):
            decode(body)
