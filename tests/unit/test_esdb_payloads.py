"""Events as bytes, into the log and out of it."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indelible.errors import InvalidRequest, PayloadTooLarge
from indelible.events import AggregateKey, RecordedEvent, decode_event, event_hash, hashed_line, unhashed_line
from indelible.limits import ESDB_JSON_SIZE_BYTES_MAX, EVENT_SIZE_BYTES_MAX, METADATA_SIZE_BYTES_MAX
from indelible.wire.esdb.payloads import FORM_SURE_SIZE_BYTES, MARK, NO_MARK, Mark, Payload, new_event, payload_of

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just(MARK), inner, max_size=3),
)
_WRITTEN = st.builds(
    lambda value, separators, indent: json.dumps(value, separators=separators, indent=indent).encode(),
    _JSON, st.sampled_from([(",", ":"), (", ", ": ")]), st.sampled_from([None, 2]),
)  # fmt: skip
_BYTES = _WRITTEN | st.binary(max_size=20) | st.just(b"{}")


def recorded(payload: Payload) -> RecordedEvent:
    event = new_event(uuid4(), "Placed", payload)
    unhashed = unhashed_line(event, AggregateKey("order", "1"), 1, 1, "2026-01-31T12:00:00.000000Z")
    return decode_event(hashed_line(unhashed, event_hash(bytes(32), unhashed)))


@given(_BYTES, _BYTES, st.sampled_from(["application/json", "application/octet-stream"]))
@example(b'{"$esdb":{}}', b'{"$esdb":{"spaced":["data"]}}', "application/json")
@example(b'{"a":1, "b":2}', b'{"a":{"$esdb":{}}}', "application/json")
@example(b'"\\ud800"', b"[1]", "application/json")
def test_what_is_sent_comes_back_byte_for_byte(data: bytes, metadata: bytes, content_type: str):
    found = payload_of(recorded(Payload(data, metadata, content_type)))
    assert found[:3] == (data, metadata, content_type)


def test_json_is_kept_as_json_for_everybody_else():
    event = recorded(Payload(b'{"total": 12.50, "items": ["a", "b"]}', b'{"user": "ada"}', "application/json"))
    assert bytes(event.event_data_raw) == b'{"total":12.50,"items":["a","b"]}'
    assert event.metadata == {"user": "ada", MARK: {"spaced": ["data", "metadata"]}}


def test_compact_json_needs_no_mark():
    event = recorded(Payload(b'{"total":12.50}', b'{"user":"ada"}', "application/json"))
    assert event.metadata == {"user": "ada"}
    assert payload_of(event).mark is NO_MARK


def test_what_an_import_knows_is_kept():
    mark = Mark(created=datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), event_id=uuid4())
    event = recorded(Payload(b"{}", b"\xff", "application/json", mark))
    found = payload_of(event)
    assert (found.mark.created, found.mark.event_id) == (mark.created, mark.event_id)
    assert found.metadata == b"\xff"


# --- Marks that callers of other APIs have written -------------------------------------------------------------------


def with_metadata(metadata: bytes, content_type: str = "application/json") -> RecordedEvent:
    """As another API stores it."""
    event = recorded(Payload(b"{}", b"", content_type))
    return msgspec.structs.replace(event, metadata_raw=msgspec.Raw(metadata))


@pytest.mark.parametrize(
    "metadata",
    [
        b'{"$esdb":{"colour":1}}',
        b'{"$esdb":{}}',
        b'{"$esdb":{"base64":{"metadata":"abc"}}}',
        '{"$esdb":{"base64":{"metadata":"é"}}}'.encode(),
        b'{"$esdb":{"base64":{"data":"YWJj"}}}',
        b'{"$esdb":{"text":{"tags":"a"}}}',
        b'{"$esdb":{"spaced":["data","metadata","data"]}}',
        b'{"$esdb":{"content_type":"application/json"}}',
        b'{"$esdb":{"position":-1}}',
        b'{"$esdb":{"revision":9223372036854775808}}',
        b'{"$esdb":{"last_revision":9007199254740991}}',
        b'{"a\\"$esdb":{"position":1}}',
        b'{"a":{"$esdb":{"position":1}}}',
    ],
)
def test_what_only_looks_like_a_mark_is_left_alone(metadata: bytes):
    found = payload_of(with_metadata(metadata))
    assert found == (b"{}", metadata, "application/json", NO_MARK)


@pytest.mark.parametrize("mark", [b'{"spaced":["data"]}', b'{"text":{"data":"1"}}', b'{"content_type":"text/plain"}'])
def test_data_that_is_no_json_has_no_other_form(mark: bytes):
    event = with_metadata(b'{"$esdb":%b}' % mark, "application/octet-stream")
    assert payload_of(event).mark is NO_MARK


_PARTS = st.sampled_from(["data", "metadata", "x"])
_TEXTS = st.text(max_size=5) | st.sampled_from(["YWJj", "abc", "application/json", "\n+json", "2020-01-02T03:04:05Z"])
_MARK_VALUES = _JSON | _TEXTS | st.lists(_PARTS) | st.dictionaries(_PARTS, _TEXTS) | st.integers() | st.uuids().map(str)
_MARKS = _JSON | st.dictionaries(st.sampled_from(Mark.__struct_fields__), _MARK_VALUES, max_size=4)


@given(_MARKS, st.sampled_from(["application/json", "application/octet-stream"]), st.booleans())
def test_whatever_stands_where_a_mark_does_the_event_can_be_read(mark: object, content_type: str, is_alone: bool):
    metadata = json.dumps({MARK: mark} if is_alone else {"a": 1, MARK: mark}, separators=(",", ":")).encode()
    found = payload_of(with_metadata(metadata, content_type))
    assert found.metadata == metadata or found.mark is not NO_MARK


def test_a_content_type_that_is_none_is_refused_whatever_the_data():
    for data in (b"{}", b"no JSON"):
        with pytest.raises(InvalidRequest, match="control characters"):
            new_event(uuid4(), "Placed", Payload(data, b"", "\n+json"))


def test_json_in_a_form_of_its_own_comes_back_compact_if_there_is_no_room_for_it():
    data = b'{"text":   "' + b"x" * METADATA_SIZE_BYTES_MAX + b'"}'
    assert payload_of(recorded(Payload(data, b"", "application/json"))).data == data.replace(b"   ", b"")


def lines(size_bytes: int) -> bytes:
    """JSON in a form of its own, half of it characters that are escaped within text."""
    return b"{\n" + b'"":"",\n' * (size_bytes // 7) + b'"a":1}'


def without_white_space(data: bytes) -> bytes:
    return data.translate(None, b"\n")


@pytest.mark.parametrize(
    ("data", "metadata"),
    [(lines(30_000), b'{"a":"%b"}' % (b"x" * 30_000)), (lines(30_000), b"\xff" * 30_000)],
)
def test_data_comes_back_compact_if_beside_metadata_there_is_no_room_for_its_form(data: bytes, metadata: bytes):
    found = payload_of(recorded(Payload(data, metadata, "application/json")))
    assert found[:2] == (without_white_space(data), metadata)


def test_so_does_metadata_if_that_is_not_enough():
    data, metadata = lines(1_000), lines(30_000)
    found = payload_of(recorded(Payload(data, metadata, "application/json")))
    assert found == (without_white_space(data), without_white_space(metadata), "application/json", NO_MARK)


def test_what_is_small_comes_back_whatever_its_form():
    for share in (0, 0.5, 1):
        data = lines(int(share * FORM_SURE_SIZE_BYTES) - 20)
        metadata = lines(int((1 - share) * FORM_SURE_SIZE_BYTES) - 20)
        assert len(data) + len(metadata) < FORM_SURE_SIZE_BYTES
        assert payload_of(recorded(Payload(data, metadata, "application/json")))[:2] == (data, metadata)


def test_metadata_that_is_no_json_has_room_for_three_quarters_of_its_bound():
    metadata = b"\xff" * (METADATA_SIZE_BYTES_MAX * 3 // 4 - 100)
    assert payload_of(recorded(Payload(b"{}", metadata, "application/json"))).metadata == metadata


def test_nothing_is_made_of_what_is_too_large_in_any_form(monkeypatch: pytest.MonkeyPatch):
    """It may be 16 MiB of quotation marks."""
    large = b'["", ' + b'"", ' * (EVENT_SIZE_BYTES_MAX // 3) + b'""]'
    monkeypatch.setattr("indelible.wire.esdb.payloads.compact_json", None)
    for payload, pointer in (
        (Payload(large, b"", "application/json"), "/event_data"),
        (Payload(b"1" + large, b"", "application/json"), "/event_data"),
        (Payload(large, b"", "application/octet-stream"), "/event_data"),
        (Payload(b"[" + b" " * ESDB_JSON_SIZE_BYTES_MAX, b"", "application/json"), "/event_data"),
        (Payload(b"", large, "application/octet-stream"), "/metadata"),
        (Payload(b"", b"{" + b" " * ESDB_JSON_SIZE_BYTES_MAX, "application/json"), "/metadata"),
        (Payload(b"", b"\xff" * (METADATA_SIZE_BYTES_MAX + 1), "application/octet-stream"), "/metadata"),
    ):
        with pytest.raises(PayloadTooLarge) as refused:
            new_event(uuid4(), "Placed", payload)
        assert refused.value.pointer == pointer


def test_what_is_large_by_its_white_space_alone_is_taken():
    data = b"[" + b" " * EVENT_SIZE_BYTES_MAX + b"1 ]"
    metadata = b'{"a":' + b"\r\n\t " * METADATA_SIZE_BYTES_MAX + b"1}"
    assert payload_of(recorded(Payload(data, metadata, "application/json")))[:2] == (b"[1]", b'{"a":1}')


def test_metadata_has_a_bound():
    with pytest.raises(PayloadTooLarge):
        new_event(uuid4(), "Placed", Payload(b"{}", b"\xff" * METADATA_SIZE_BYTES_MAX, "application/json"))
