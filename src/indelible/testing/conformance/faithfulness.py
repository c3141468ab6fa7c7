"""What was sent comes back: number for number, key for key, byte for byte, whichever way it is read."""

import msgspec
import pytest

from indelible.events import NewEvent, RecordedEvent
from indelible.eventstore import EventStore
from indelible.limits import EVENT_SIZE_BYTES_MAX, JSON_DEPTH_MAX, JSON_NUMBER_DIGITS_MAX, METADATA_SIZE_BYTES_MAX
from indelible.queries import EventQuery
from indelible.testing.conformance.helpers import read_feed_to_end, unique

_VALUES = (
    b"null", b"true", b"false", b"0", b"-0", b"-0.0", b"1", b"1.0", b"1.10", b"1e5", b"1E+5", b"0.1e-7", b"1e999",
    b"9007199254740993", b"-9223372036854775809", b"18446744073709551616", b"9" * JSON_NUMBER_DIGITS_MAX,
    b"0.1000000000000000055511151231257827", b"123456789012345678901234567890.123456789", b"1e99999999999999999999",
    b'""', b'"\\u0041\\/\\"\\\\\\b\\f\\n\\r\\t"', b'"\\u0000\\u001f\\u007f\x7f"', b'"\\ud83d\\ude00 \\u2028"',
    '"é e\u0301 😀 \u2028 \u2029 \ufeff \U0010ffff"'.encode(), b'"</script><!--"',
    b'"$a:b {{c}} %s %(x)s ${HOME} \'\'"',
    b"[]", b"{}", b"[[],{},[{}]]", b'{"":""}', b'{"z":1,"a":2,"m":{"y":1,"b":2}}', b'{"a":1,"a":2}', b'{"A":1,"a":2}',
    b'{"event_id":"x","hash":"y","version":0,"position":-1}', b'{"\\u0061 \xc3\xa9":[1,1.0,1e0]}',
    b"[" * JSON_DEPTH_MAX + b"]" * JSON_DEPTH_MAX,
    b'{"a":' * (JSON_DEPTH_MAX - 1) + b"[1]" + b"}" * (JSON_DEPTH_MAX - 1),
    b"[" + b",".join(b'{"n":%d}' % n for n in range(5_000)) + b"]",
)  # fmt: skip


async def _read_back(store: EventStore, event: NewEvent) -> RecordedEvent:
    """Append an event and read it in every way there is."""
    aggregate_type, aggregate_id = unique("Doc"), unique()
    await store.append(aggregate_type, aggregate_id, [event])
    by_id = await store.get_event(event.event_id)
    (by_aggregate,) = (await store.read_aggregate(aggregate_type, aggregate_id)).events
    (by_feed,) = await read_feed_to_end(store, EventQuery.of(aggregate_types=[aggregate_type]))
    (by_replay,) = (await store.replay(aggregate_type, aggregate_id)).page.events
    assert by_id == by_aggregate == by_feed == by_replay
    return by_id


@pytest.mark.asyncio
class FaithfulnessConformance:
    @pytest.mark.parametrize("text", _VALUES, ids=lambda text: text.decode()[:40])
    async def test_event_data_is_kept_to_the_letter(self, store: EventStore, text: bytes) -> None:
        stored = await _read_back(store, NewEvent("Written", msgspec.Raw(text)))
        assert stored.event_data_bytes == text

    @pytest.mark.parametrize("text", [t for t in _VALUES if t.startswith(b"{")], ids=lambda text: text.decode()[:40])
    async def test_metadata_is_kept_to_the_letter(self, store: EventStore, text: bytes) -> None:
        stored = await _read_back(store, NewEvent("Written", metadata=msgspec.Raw(text)))
        assert bytes(stored.metadata_raw) == text

    async def test_white_space_between_tokens_is_not_kept(self, store: EventStore) -> None:
        text = b' {\n\t"a" : [ 1 , 2.50 ] ,\r\n "b c" : " d  e " } '
        stored = await _read_back(store, NewEvent("Written", msgspec.Raw(text)))
        assert stored.event_data_bytes == b'{"a":[1,2.50],"b c":" d  e "}'

    async def test_python_values_come_back_equal(self, store: EventStore) -> None:
        value = {"b": [1, 1.5, True, None, "é\n\x00"], "a": {"big": 2**200, "tiny": 5e-324, "neg": -(2**63) - 1}}
        stored = await _read_back(store, NewEvent("Written", value, metadata={"m": 2**100}))
        assert stored.event_data == value
        assert list(stored.event_data) == ["b", "a"]
        assert isinstance(stored.event_data["b"][2], bool)
        assert stored.metadata == {"m": 2**100}

    @pytest.mark.parametrize(
        ("data", "content_type"),
        [
            (b"", None),
            (bytes(range(256)) * 4, None),
            (b"\x00", "application/octet-stream"),
            (b'{"a": 1}', "application/x-protobuf; v=1"),
            ("text, not JSON: é".encode(), "text/plain; charset=utf-8"),
            (b"\xff\xfe\n\r\n", "application/cbor"),
        ],
    )
    async def test_bytes_are_kept(self, store: EventStore, data: bytes, content_type: str | None) -> None:
        stored = await _read_back(store, NewEvent("Written", data, content_type=content_type, metadata={"a": 1}))
        assert stored.event_data == data
        assert stored.event_data_bytes == data
        assert stored.content_type == (content_type or "application/octet-stream")
        assert stored.metadata == {"a": 1}

    async def test_content_types_of_json_are_kept(self, store: EventStore) -> None:
        for content_type in ("application/cloudevents+json", "application/json; charset=utf-8", "application/JSON"):
            stored = await _read_back(store, NewEvent("Written", {"a": 1}, content_type=content_type))
            assert (stored.event_data, stored.content_type) == ({"a": 1}, content_type)

    async def test_largest_event(self, store: EventStore) -> None:
        metadata = {"m": "é" * ((METADATA_SIZE_BYTES_MAX - 8) // 2)}
        assert NewEvent("Written", metadata=metadata).size_bytes - len("null") == METADATA_SIZE_BYTES_MAX
        text = "x" * (EVENT_SIZE_BYTES_MAX - METADATA_SIZE_BYTES_MAX - 2)
        event = NewEvent("Written", text, metadata=metadata)
        assert event.size_bytes == EVENT_SIZE_BYTES_MAX
        stored = await _read_back(store, event)
        assert (stored.event_data, stored.metadata) == (text, metadata)

    async def test_largest_bytes(self, store: EventStore) -> None:
        data = bytes(range(256)) * (EVENT_SIZE_BYTES_MAX // 256)
        stored = await _read_back(store, NewEvent("Written", data[:-2]))
        assert stored.event_data == data[:-2]

    async def test_tags_are_a_sorted_set(self, store: EventStore) -> None:
        tags = ["b", "a", "é", "Z", "b", "😀", "a b", '"', "\\"]
        stored = await _read_back(store, NewEvent("Written", tags=tags))
        assert stored.tags == tuple(sorted(set(tags)))
