"""Events and keys: checked when made, immutable, and rendered in one canonical form."""

import copy
import hashlib
import json
import pickle
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indelible.errors import InvalidRequest, PayloadTooLarge
from indelible.events import (
    AggregateKey,
    NewEvent,
    Snapshot,
    check_name,
    check_version,
    decode_event,
    decode_events,
    encode_snapshot_state,
    event_hash,
    format_timestamp,
    hashed_line,
    is_json,
    new_event_id,
    split_hashed_line,
    timestamp_to_us,
    unhashed_line,
)
from indelible.limits import (
    CONTENT_TYPE_LENGTH_MAX,
    EVENT_SIZE_BYTES_MAX,
    METADATA_SIZE_BYTES_MAX,
    NAME_LENGTH_MAX,
    SNAPSHOT_SIZE_BYTES_MAX,
    TAG_LENGTH_MAX,
    TAGS_PER_EVENT_MAX,
    VERSION_MAX,
)

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Kind(StrEnum):
    PLACED = "OrderPlaced"


class OldKind(str, Enum):  # noqa: UP042 - the older spelling, which formats differently
    PLACED = "OrderPlaced"


class Name(str):
    __slots__ = ()


def pointer_of(call: Any, *args: Any, kind: type[InvalidRequest] = InvalidRequest, **fields: Any) -> str:
    with pytest.raises(kind) as caught:
        call(*args, **fields)
    assert type(caught.value) is kind
    return caught.value.pointer


class TestNames:
    @given(names)
    def test_anything_but_control_characters(self, name: str) -> None:
        assert check_name(name, "/x") == name

    @pytest.mark.parametrize("code", [*range(0x20), 0x7F, *range(0x80, 0xA0), 0xD800, 0xDBFF, 0xDC00, 0xDFFF])
    def test_control_characters_and_surrogates(self, code: int) -> None:
        for name in (chr(code), f"a{chr(code)}", f"{chr(code)}é", f"\u2028{chr(code)}"):
            assert pointer_of(check_name, name, "/x") == "/x"

    def test_length_counts_characters(self) -> None:
        assert check_name("😀" * NAME_LENGTH_MAX, "/x")
        assert pointer_of(check_name, "x" * (NAME_LENGTH_MAX + 1), "/x") == "/x"
        assert pointer_of(check_name, "", "/x") == "/x"

    @pytest.mark.parametrize("name", [Kind.PLACED, OldKind.PLACED, Name("OrderPlaced")])
    def test_subclasses_of_str_become_str(self, name: str) -> None:
        event = NewEvent(name, tags=[name])
        assert type(event.event_type) is str
        assert type(event.tags[0]) is str
        assert (event.event_type, event.tags) == ("OrderPlaced", ("OrderPlaced",))
        assert AggregateKey.checked(name, name).stream == "OrderPlaced-OrderPlaced"

    @given(names.filter(lambda name: "-" not in name), names)
    def test_stream_splits_at_the_first_hyphen(self, aggregate_type: str, aggregate_id: str) -> None:
        key = AggregateKey.checked(aggregate_type, aggregate_id)
        assert AggregateKey.from_stream(key.stream) == key

    @pytest.mark.parametrize(("stream", "pointer"), [("x", "/aggregate_id"), ("-x", "/aggregate_type"), ("", None)])
    def test_what_is_no_stream(self, stream: str, pointer: str | None) -> None:
        assert pointer_of(AggregateKey.from_stream, stream) == (pointer or "/aggregate_type")


class TestVersions:
    @pytest.mark.parametrize("value", [1, 2, VERSION_MAX])
    def test_good(self, value: int) -> None:
        assert check_version(value, "/v") == value

    @pytest.mark.parametrize("value", [0, -1, VERSION_MAX + 1, 1.0, 1.5, True, "1", None, b"1", float("nan")])
    def test_bad(self, value: object) -> None:
        assert pointer_of(check_version, value, "/v") == "/v"


class TestNewEvent:
    def test_defaults(self) -> None:
        event = NewEvent("Touched")
        assert (event.event_data, event.metadata, event.tags) == (None, {}, ())
        assert event.content_type == "application/json"
        assert event.event_id.version == 7
        assert event.event_id != NewEvent("Touched").event_id

    def test_ids_are_near_their_neighbours(self) -> None:
        made = [new_event_id() for _ in range(1_000)]
        assert len(set(made)) == 1_000
        assert made == sorted(made)
        assert type(made[0]) is UUID

    @pytest.mark.parametrize("event_id", [ID, str(ID), str(ID).upper()])
    def test_event_id(self, event_id: Any) -> None:
        assert NewEvent("A", event_id=event_id).event_id == ID

    @pytest.mark.parametrize(
        "event_id",
        ["", "x", 7, b"x", ID.int, ID.bytes, f"{{{ID}}}", f"urn:uuid:{ID}", f" {ID}", str(ID)[:-1], f"{ID}0",
         f"{{{ID.hex}}}--", f"{ID.hex}----", str(ID).replace("-", "_"), "०" * 36, f"{str(ID)[:-1]}g"],
    )  # fmt: skip
    def test_bad_event_id(self, event_id: Any) -> None:
        assert pointer_of(NewEvent, "A", event_id=event_id) == "/event_id"

    @pytest.mark.parametrize(
        ("fields", "pointer"),
        [
            ({"event_type": ""}, "/event_type"),
            ({"event_type": "x" * (NAME_LENGTH_MAX + 1)}, "/event_type"),
            ({"event_type": "a\n"}, "/event_type"),
            ({"event_type": None}, "/event_type"),
            ({"event_data": float("nan")}, "/event_data"),
            ({"event_data": {"a": [1, object()]}}, "/event_data/a/1"),
            ({"event_data": {"a": float("nan")}}, "/event_data/a"),
            ({"event_data": {1: 2}}, "/event_data"),
            ({"event_data": msgspec.Raw(b"{")}, "/event_data"),
            ({"event_data": b"x", "content_type": "application/json"}, "/event_data"),
            ({"event_data": b"x", "content_type": "a/b+json"}, "/event_data"),
            ({"event_data": "x", "content_type": "text/plain"}, "/event_data"),
            ({"event_data": None, "content_type": "text/plain"}, "/event_data"),
            ({"event_data": memoryview(b"x")}, "/event_data"),
            ({"metadata": []}, "/metadata"),
            ({"metadata": [1]}, "/metadata"),
            ({"metadata": [("a", 1)]}, "/metadata"),
            ({"metadata": "x"}, "/metadata"),
            ({"metadata": ""}, "/metadata"),
            ({"metadata": 0}, "/metadata"),
            ({"metadata": False}, "/metadata"),
            ({"metadata": {"a": float("inf")}}, "/metadata"),
            ({"metadata": {1: "a"}}, "/metadata"),
            ({"metadata": msgspec.Raw(b"[]")}, "/metadata"),
            ({"metadata": msgspec.Raw(b"")}, "/metadata"),
            ({"metadata": msgspec.Raw(b"null")}, "/metadata"),
            ({"tags": "abc"}, "/tags"),
            ({"tags": b"abc"}, "/tags"),
            ({"tags": None}, "/tags"),
            ({"tags": 0}, "/tags"),
            ({"tags": ["a", ""]}, "/tags/1"),
            ({"tags": ["a", 1]}, "/tags/1"),
            ({"tags": ["a", "x" * (TAG_LENGTH_MAX + 1)]}, "/tags/1"),
            ({"tags": ["a", "b\x85"]}, "/tags/1"),
            ({"tags": [f"{n}" for n in range(TAGS_PER_EVENT_MAX + 1)]}, "/tags"),
            ({"content_type": ""}, "/content_type"),
            ({"content_type": "json"}, "/content_type"),
            ({"content_type": "a/b\r\nX: y"}, "/content_type"),
            ({"content_type": "a/" + "b" * CONTENT_TYPE_LENGTH_MAX}, "/content_type"),
            ({"content_type": 7}, "/content_type"),
        ],
    )
    def test_bad_field_is_named(self, fields: dict[str, Any], pointer: str) -> None:
        assert pointer_of(NewEvent, **{"event_type": "A", **fields}) == pointer

    def test_sizes(self) -> None:
        largest = "x" * (EVENT_SIZE_BYTES_MAX - 4)
        assert NewEvent("A", largest).size_bytes == EVENT_SIZE_BYTES_MAX
        for data, metadata in ((largest + "x", None), (largest, {"a": 1}), (b"x" * EVENT_SIZE_BYTES_MAX, None)):
            with pytest.raises(PayloadTooLarge) as caught:
                NewEvent("A", data, metadata=metadata)
            assert caught.value.fields == {"pointer": "/event_data", "size_bytes_max": EVENT_SIZE_BYTES_MAX}
        with pytest.raises(PayloadTooLarge) as caught:
            NewEvent("A", metadata={"a": "x" * METADATA_SIZE_BYTES_MAX})
        assert caught.value.fields == {"pointer": "/metadata", "size_bytes_max": METADATA_SIZE_BYTES_MAX}

    @pytest.mark.parametrize("field", ["event_data", "metadata"])
    def test_json_text_that_is_too_large_is_not_made_compact_first(
        self, monkeypatch: pytest.MonkeyPatch, field: str
    ) -> None:
        def never(_: bytes) -> bytes:
            raise AssertionError("this takes long")

        size_bytes_max = EVENT_SIZE_BYTES_MAX if field == "event_data" else METADATA_SIZE_BYTES_MAX
        text = b'{"a":[' + b"0, " * size_bytes_max + b"0]}"
        given: dict[str, Any] = {"event_data": b"1", "metadata": b"{}", field: text}
        monkeypatch.setattr("indelible.events.compact_strict_json", never if field == "event_data" else bytes)
        monkeypatch.setattr("indelible.json_text.compact_strict_json", never)
        for make in (
            lambda: NewEvent.from_strict_json("A", **given, event_id=None, tags=()),
            lambda: NewEvent("A", **{name: msgspec.Raw(raw) for name, raw in given.items() if raw is text}),
        ):
            with pytest.raises(PayloadTooLarge) as caught:
                make()
            assert caught.value.fields == {"pointer": f"/{field}", "size_bytes_max": size_bytes_max}

    def test_white_space_counts_for_nothing(self) -> None:
        spaces = b" \n" * EVENT_SIZE_BYTES_MAX
        text = b"[%b1]" % spaces
        made = NewEvent.from_strict_json("A", text, event_id=None, metadata=b'{"a":%b1}' % spaces, tags=())
        assert (made.event_data_raw, made.metadata_raw) == (b"[1]", b'{"a":1}')
        assert NewEvent("A", msgspec.Raw(text), metadata=msgspec.Raw(b"{%b}" % spaces)).event_data_raw == b"[1]"

    def test_repeated_tags_count_once(self) -> None:
        tags = [f"{n}" for n in range(TAGS_PER_EVENT_MAX)] * 3
        assert NewEvent("A", tags=tags).tags == tuple(sorted(set(tags)))
        assert NewEvent("A", tags=(tag for tag in ["b", "a"])).tags == ("a", "b")

    def test_immutable(self) -> None:
        event = NewEvent("A")
        with pytest.raises(AttributeError):
            event.event_type = "B"
        with pytest.raises(AttributeError):
            del event.event_type
        with pytest.raises(AttributeError):
            event.other = 1  # type: ignore[attr-defined]  # that is the point

    def test_later_changes_of_what_was_given_do_not_show(self) -> None:
        data: dict[str, Any] = {"a": [1]}
        event = NewEvent("A", data, metadata=data, tags=(tags := ["t"]))
        data["a"].append(2)
        tags.append("u")
        event.event_data["a"].append(3)
        assert (event.event_data, event.metadata, event.tags) == ({"a": [1]}, {"a": [1]}, ("t",))

    def test_equal_when_all_that_would_be_stored_is_equal(self) -> None:
        event = NewEvent("A", {"a": 1}, event_id=ID, tags=["y", "x"])
        same = NewEvent("A", msgspec.Raw(b'{ "a" : 1 }'), event_id=str(ID), tags=["x", "y"])
        assert event == same
        assert hash(event) == hash(same)
        assert event != NewEvent("A", {"a": 1.0}, event_id=ID, tags=["y", "x"])
        assert event != "A"

    def test_copies_and_pickles(self) -> None:
        """Events cross process borders on their way to a store."""
        for event in (NewEvent("A", {"a": 2**70}, metadata={"m": 1}, tags=["t"]), NewEvent("A", b"\xff")):
            for same in (copy.copy(event), copy.deepcopy(event), pickle.loads(pickle.dumps(event))):
                assert same == event
                assert same.event_data == event.event_data

    def test_repr_names_what_identifies_it(self) -> None:
        assert str(ID) in repr(NewEvent("Paid", {"a": 1}, event_id=ID))
        assert "Paid" in repr(NewEvent("Paid", b"\xff"))

    @pytest.mark.parametrize(
        ("content_type", "json_"),
        [("application/json", True), ("application/JSON; charset=utf-8", True), ("application/x+json", True),
         ("text/json", False), ("application/jsonl", False), ("text/plain; a=+json", False)],
    )  # fmt: skip
    def test_is_json(self, content_type: str, json_: bool) -> None:
        assert is_json(content_type) is json_


class TestLine:
    @given(
        st.tuples(names, names, names),
        json_values,
        st.dictionaries(st.text(), json_values),
        st.lists(names, max_size=TAGS_PER_EVENT_MAX),
    )
    def test_says_what_the_event_says(
        self, named: tuple[str, str, str], data: Any, metadata: dict[str, Any], tags: list[str]
    ) -> None:
        event_type, aggregate_type, aggregate_id = named
        event = NewEvent(event_type, data, metadata=metadata, tags=tags)
        key = AggregateKey(aggregate_type, aggregate_id)
        unhashed = unhashed_line(event, key, 3, 7, format_timestamp(1_700_000_000_000_001))
        line = hashed_line(unhashed, event_hash(bytes(32), unhashed))
        assert b"\n" not in line
        parsed = json.loads(line)
        assert parsed == {
            "event_id": str(event.event_id), "event_type": event_type, "aggregate_type": aggregate_type,
            "aggregate_id": aggregate_id, "version": 3, "position": 7, "timestamp": "2023-11-14T22:13:20.000001Z",
            "event_data": data, "metadata": metadata, "tags": sorted(set(tags)), "content_type": "application/json",
            "hash": hashlib.sha256(bytes(32) + unhashed).hexdigest(),
        }  # fmt: skip
        stored = decode_event(line)
        assert (stored.event_data, stored.metadata, stored.tags) == (data, metadata, event.tags)
        assert (stored.event_data_bytes, stored.key) == (event.event_data_raw, key)
        assert split_hashed_line(line) == (unhashed, bytes.fromhex(parsed["hash"]))

    @given(st.binary(max_size=50))
    def test_bytes(self, data: bytes) -> None:
        event = NewEvent("A", data)
        unhashed = unhashed_line(event, AggregateKey("O", "1"), 1, 1, format_timestamp(0))
        stored = decode_event(hashed_line(unhashed, bytes(32)))
        assert (stored.event_data, stored.event_data_bytes) == (data, data)
        assert "event_data" not in json.loads(unhashed)

    def test_hash_depends_on_every_byte_before_it(self) -> None:
        unhashed = unhashed_line(NewEvent("A", event_id=ID), AggregateKey("O", "1"), 1, 1, format_timestamp(0))
        digest = event_hash(bytes(32), unhashed)
        assert digest != event_hash(bytes(31) + b"\x01", unhashed)
        for index in range(len(unhashed)):
            changed = bytearray(unhashed)
            changed[index] ^= 1
            assert event_hash(bytes(32), bytes(changed)) != digest

    @pytest.mark.parametrize("line", [b"", b"{}", b'{"hash":"00"}', b'{"a":1,"hash":"' + b"z" * 64 + b'"}'])
    def test_line_without_a_hash(self, line: bytes) -> None:
        with pytest.raises(ValueError, match=r"hash|hexadecimal"):
            split_hashed_line(line)

    def test_no_lines(self) -> None:
        assert decode_events(b"") == ()


class TestTimestamps:
    @given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds
    def test_there_and_back(self, stamp: datetime) -> None:
        text = format_timestamp(timestamp_to_us(stamp))
        assert datetime.fromisoformat(text) == stamp
        assert len(text) == 27
        assert format_timestamp(timestamp_to_us(stamp + timedelta(microseconds=1))) > text


class TestSnapshot:
    def test_encoded_state(self) -> None:
        assert encode_snapshot_state({"a": 1.0}, {"m": 1}) == (b'{"a":1.0}', b'{"m":1}')
        assert encode_snapshot_state(None, None) == (b"null", b"{}")

    def test_bad_state(self) -> None:
        assert pointer_of(encode_snapshot_state, float("nan"), None) == "/state"
        assert pointer_of(encode_snapshot_state, {}, []) == "/metadata"
        largest = "x" * (SNAPSHOT_SIZE_BYTES_MAX - 4)
        assert len(encode_snapshot_state(largest, None)[0]) + 2 == SNAPSHOT_SIZE_BYTES_MAX
        assert pointer_of(encode_snapshot_state, largest + "x", None, kind=PayloadTooLarge) == "/state"

    def test_values(self) -> None:
        snapshot = Snapshot(
            aggregate_type="O",
            aggregate_id="1",
            version=3,
            timestamp=datetime.now(UTC),
            state_raw=msgspec.Raw(b"[1.0]"),
        )
        assert (snapshot.key, snapshot.state, snapshot.metadata) == (AggregateKey("O", "1"), [1.0], {})
