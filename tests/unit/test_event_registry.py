"""Which class an event type is: chains of upcasters, what is refused when classes are registered and when events are
made, and what reading an event raises."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import pydantic
import pytest

from indelible import (
    AggregateKey,
    EventNotDecoded,
    EventRegistry,
    InvalidRequest,
    NewEvent,
    RecordedEvent,
    Unregistered,
)
from indelible.event_codec import MsgspecCodec
from indelible.events import decode_event, format_timestamp, hashed_line, unhashed_line


@dataclass(frozen=True)
class Placed:
    total: Decimal
    currency: str
    channel: str = "shop"

    def __post_init__(self) -> None:
        if self.channel == "impossible":
            raise LookupError(self.channel)


class Paid(pydantic.BaseModel):
    by: str


class Shipped(msgspec.Struct):
    parcels: list[int]


def with_total(data: Any) -> Any:
    data["total"] = str(data.pop("cents") / Decimal(100))
    return data


def with_currency(data: Any) -> Any:
    return {**data, "currency": "EUR"}


EVENTS = (
    EventRegistry()
    .add(Placed, event_type="order.placed", schema_version=3, upcast={1: with_total, 2: with_currency})
    .add(Paid)
    .add(Shipped)
)


def recorded(event_type: str, data: Any, **metadata: Any) -> RecordedEvent:
    """Version 3 of order-1, at position 7."""
    event = NewEvent(event_type, data, metadata=metadata)
    unhashed = unhashed_line(event, AggregateKey("order", "1"), 3, 7, format_timestamp(0))
    return decode_event(hashed_line(unhashed, bytes(32)))


def refused(call: Callable[..., object], *args: Any, **fields: Any) -> tuple[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        call(*args, **fields)
    return caught.value.pointer, caught.value.message


class TestRegistering:
    def test_event_types(self) -> None:
        assert EVENTS.event_types == ("order.placed", "Paid", "Shipped")

    def test_a_registry_stays_as_it_is(self) -> None:
        first = EventRegistry().add(Paid)
        assert first.add(Shipped).event_types == ("Paid", "Shipped")
        assert first.event_types == ("Paid",)

    @pytest.mark.parametrize(
        ("fields", "pointer", "message"),
        [
            ({"schema_version": 3, "upcast": {2: with_currency}}, "/upcast/1", "nothing upcasts version 1"),
            ({"schema_version": 2}, "/upcast/1", r"give upcast=\{1: …\}"),
            ({"upcast": {1: with_total}}, "/upcast/1", "raise schema_version"),
            ({"schema_version": 2, "upcast": {1: with_total, "2": with_total}}, "/upcast/2", "'2'"),
            ({"schema_version": 0}, "/schema_version", "from 1"),
            ({"event_type": ""}, "/event_type", "1 to 255"),
            ({"event_type": "Paid"}, "/event_type", "Paid is registered for Paid: give Placed another event_type"),
        ],
    )
    def test_what_cannot_be(self, fields: dict[str, Any], pointer: str, message: str) -> None:
        with pytest.raises(InvalidRequest, match=message) as caught:
            EventRegistry().add(Paid).add(Placed, **fields)
        assert caught.value.pointer == pointer

    def test_a_class_of_two_types(self) -> None:
        assert refused(EVENTS.add, Paid, event_type="paid")[0] == "/kind"

    def test_schemas_by_event_type(self) -> None:
        schemas = EVENTS.json_schemas()
        assert list(schemas) == ["order.placed", "Paid", "Shipped"]
        assert schemas["order.placed"]["$defs"]["Placed"]["required"] == ["total", "currency"]
        assert schemas["Paid"]["properties"]["by"]["type"] == "string"


class TestMaking:
    def test_the_schema_version_is_in_the_metadata(self) -> None:
        event = EVENTS.new_event(Placed(Decimal("1.10"), "EUR"), metadata={"trace": "abc"}, tags=["vip"])
        assert (event.event_type, event.tags) == ("order.placed", ("vip",))
        assert event.metadata == {"schema_version": 3, "trace": "abc"}
        assert EVENTS.new_event(Paid(by="ada")).metadata == {}

    @pytest.mark.parametrize(
        ("given", "pointer"),
        [
            (5, "/events/0/event_data"),
            ([Paid(by="ada"), {"by": "ada"}], "/events/1/event_data"),
            (Placed("x", "EUR"), "/events/0/event_data/total"),
            ([Paid(by="a"), Placed(Decimal(1), None)], "/events/1/event_data/currency"),
            (Placed(float("nan"), "EUR"), "/events/0/event_data/total"),
            (Paid.model_construct(by=None), "/events/0/event_data/by"),
            (Shipped([1, "x"]), "/events/0/event_data/parcels/1"),
            (NewEvent("Unknown"), "/events/0/event_type"),
            (NewEvent("Paid", {"by": 1}), "/events/0/event_data/by"),
            (NewEvent("Paid", b"x"), "/events/0/content_type"),
            (NewEvent("Paid", {"by": "x"}, metadata={"schema_version": 2}), "/events/0/metadata/schema_version"),
            (NewEvent("order.placed", {"cents": 1}), "/events/0/metadata/schema_version"),
        ],
    )
    def test_what_is_refused(self, given: Any, pointer: str) -> None:
        assert refused(EVENTS.new_events, given)[0] == pointer

    def test_a_schema_version_that_is_given_must_be_right(self) -> None:
        pointer, _ = refused(EVENTS.new_event, Paid(by="ada"), metadata={"schema_version": "2"})
        assert pointer == "/metadata/schema_version"

    def test_objects_and_events_side_by_side(self) -> None:
        made = EVENTS.new_event(Paid(by="ada"))
        assert EVENTS.new_events(made) == [made]
        assert [one.event_type for one in EVENTS.new_events((made, Shipped([1])))] == ["Paid", "Shipped"]
        assert EVENTS.new_events([]) == []


class TestReading:
    @pytest.mark.parametrize(
        ("data", "metadata"),
        [
            ({"cents": 110}, {}),
            ({"cents": 110}, {"schema_version": 1, "trace": "abc"}),
            ({"total": "1.1"}, {"schema_version": 2}),
            ({"total": "1.1", "currency": "EUR"}, {"schema_version": 3}),
        ],
    )
    def test_every_version_is_the_class_of_today(self, data: Any, metadata: dict[str, Any]) -> None:
        event = EVENTS.read(recorded("order.placed", data, **metadata))
        assert event.event_data == Placed(Decimal("1.1"), "EUR")
        assert (event.position, event.version, event.aggregate_id, event.metadata) == (7, 3, "1", metadata)
        assert (event.event_type, event.key.stream, event.tags) == ("order.placed", "order-1", ())
        assert (event.event_id, event.aggregate_type) == (event.recorded.event_id, "order")
        assert event.timestamp == event.recorded.timestamp

    @pytest.mark.parametrize("data", [{"a": 1}, b"\xff"])
    def test_other_types_stay_as_they_are(self, data: Any) -> None:
        event = EVENTS.read(recorded("order.archived", data))
        assert isinstance(event.event_data, Unregistered)
        assert event.event_data.event_data == event.recorded.event_data == data

    @pytest.mark.parametrize(
        ("event", "schema_version", "pointer", "message"),
        [
            (recorded("Paid", {"by": 1}), 1, "/event_data/by", "valid string"),
            (recorded("Paid", b"\xff"), 1, "/event_data", "Invalid JSON"),
            (recorded("Shipped", {"parcels": [1, None]}), 1, "/event_data/parcels/1", "got `null`"),
            (recorded("order.placed", {"pence": 1}), 1, "/event_data", r"from version 1 raised KeyError\('cents'\)"),
            (recorded("order.placed", 5, schema_version=2), 2, "/event_data", "from version 2 raised TypeError"),
            (recorded("order.placed", {"total": "x"}, schema_version=2), 2, "/event_data/total", "decimal"),
            (recorded("order.placed", {"total": "1"}, schema_version=3), 3, "/event_data/currency", "is missing"),
            (recorded("order.placed", {}, schema_version=4), 4, "/metadata/schema_version", "knows versions 1 to 3"),
            (recorded("Paid", {}, schema_version=0), 0, "/metadata/schema_version", "knows versions 1 to 1"),
            (recorded("Paid", {}, schema_version="b"), 0, "/metadata/schema_version", "of schema version unknown"),
            (recorded("order.placed", {"total": "1", "currency": "EUR", "channel": "impossible"}, schema_version=3), 3,
             "/event_data", r"LookupError\('impossible'\)"),
        ],
    )  # fmt: skip
    def test_what_does_not_fit_says_where_it_is(
        self, event: RecordedEvent, schema_version: int, pointer: str, message: str
    ) -> None:
        with pytest.raises(EventNotDecoded, match=message) as caught:
            EVENTS.read(event)
        assert caught.value.fields == {
            "position": 7, "event_type": event.event_type, "schema_version": schema_version, "pointer": pointer,
            "aggregate_type": "order", "aggregate_id": "1", "version": 3,
        }  # fmt: skip
        assert f"{event.event_type} at position 7" in caught.value.message
        assert caught.value.__cause__ is not None


def test_another_codec_reads_too() -> None:
    class Cents(MsgspecCodec):
        def encode(self, value: Any) -> bytes:
            return b"%d" % (value.total * 100)

        def decoder(self, kind: type[Any]) -> Callable[[bytes], Any]:
            return lambda text: kind(int(text) / Decimal(100), "EUR")

    events = EventRegistry(codec=Cents()).add(Placed)
    event = events.new_event(Placed(Decimal("1.10"), "EUR"))
    assert event.event_data == 110
    assert events.read(recorded("Placed", 110)).event_data == Placed(Decimal("1.10"), "EUR")
