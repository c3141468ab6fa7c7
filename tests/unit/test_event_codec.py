"""Objects as event data: what is stored, that it comes back, and that the field of what cannot be is named."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indelible import Codec, InvalidRequest, NewEvent
from indelible.event_codec import MSGSPEC_CODEC, why_refused
from indelible.json_text import encode_json

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 3


@dataclass(frozen=True)
class Item:
    product: UUID
    price: Decimal
    on: date | None = None


@dataclass(frozen=True)
class Order:
    placed_at: datetime
    items: tuple[Item, ...]
    labels: frozenset[str]
    colours: dict[Colour, Decimal]
    by_line: dict[int, Item]
    level: Level = Level.LOW
    notes: dict[str, Any] = field(default_factory=dict)


class OrderStruct(msgspec.Struct, frozen=True, rename="camel"):
    placed_at: datetime
    due_after: timedelta
    all_items: list[Item]
    signature: bytes = b""


class OrderModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)

    placed_at: datetime = pydantic.Field(alias="placedAt")
    total: Decimal
    items: tuple[Item, ...] = ()
    colour: Colour = Colour.RED


@dataclass(frozen=True)
class Basket:
    """Models within other classes."""

    order: OrderModel | None
    size: int


class Point(NamedTuple):
    x: int
    y: int


decimals = st.decimals(allow_nan=False, allow_infinity=False) | st.decimals(places=30, min_value=-9, max_value=9)
times = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])) | st.datetimes()
items = st.builds(Item, st.uuids(), decimals, st.none() | st.dates())
plain = st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5) | st.lists(st.booleans()))
orders = st.builds(
    Order,
    times,
    st.lists(items, max_size=3).map(tuple),
    st.frozensets(st.text(max_size=5), max_size=4),
    st.dictionaries(st.sampled_from(Colour), decimals),
    st.dictionaries(st.integers(), items, max_size=2),
    st.sampled_from(Level),
    plain,
)
structs = st.builds(
    OrderStruct,
    times,
    st.timedeltas(timedelta(days=-1_000), timedelta(days=1_000)),
    st.lists(items, max_size=2),
    st.binary(max_size=5),
)
models = st.builds(
    lambda at, total, some, colour: OrderModel(placedAt=at, total=total, items=some, colour=colour),
    times, decimals, st.lists(items, max_size=2).map(tuple), st.sampled_from(Colour),
)  # fmt: skip


def pointer_of(call: Callable[..., object], *args: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        call(*args)
    return caught.value.pointer


def stored(value: Any) -> bytes:
    return NewEvent("A", value).event_data_raw


class TestThereAndBack:
    @settings(max_examples=60)
    @given(orders | structs | models | st.builds(Basket, st.none() | models, st.integers()))
    def test_what_is_stored_is_the_object(self, value: Any) -> None:
        text = stored(value)
        again = MSGSPEC_CODEC.decoder(type(value))(text)
        assert again == value
        assert stored(again) == text
        assert b"\n" not in text

    @given(decimals)
    def test_decimals_keep_every_digit(self, value: Decimal) -> None:
        assert json.loads(stored({"total": value}))["total"] == str(value)
        again = MSGSPEC_CODEC.decoder(Item)(stored(Item(ID, value)))
        assert (again.price.as_tuple(), str(again.price)) == (value.as_tuple(), str(value))

    def test_numbers_with_more_digits_than_a_float_has(self) -> None:
        text = b'{"product":"%b","price":0.1234567890123456789012345}' % str(ID).encode()
        assert MSGSPEC_CODEC.decoder(Item)(text).price == Decimal("0.1234567890123456789012345")

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (Decimal("1.10"), '"1.10"'),
            (NOON, '"2026-01-31T12:00:00Z"'),
            (date(2026, 1, 31), '"2026-01-31"'),
            (ID, f'"{ID}"'),
            (Colour.RED, '"red"'),
            ({"z": 1, "a": {"c": Colour.BLUE, "b": Level.HIGH}}, '{"z":1,"a":{"c":"blue","b":3}}'),
            ({"b", "a", "c"}, '["a","b","c"]'),
            (Item(ID, Decimal(2)), f'{{"product":"{ID}","price":"2","on":null}}'),
            ([Point(1, 2), Decimal(3)], '[[1,2],"3"]'),
            (MappingProxyType({"a": 1}), '{"a":1}'),
            (OrderModel(placedAt=NOON, total=Decimal("1.10")),
             '{"placedAt":"2026-01-31T12:00:00Z","total":"1.10","items":[],"colour":"red"}'),
        ],
    )  # fmt: skip
    def test_what_is_stored(self, value: Any, text: str) -> None:
        assert stored(value).decode() == text

    def test_sets_are_spelled_alike_in_every_process(self) -> None:
        program = (
            "from indelible import NewEvent\nprint(NewEvent('A', {'a': {f'{n}' for n in range(50)}}).event_data_raw)"
        )
        said = {
            subprocess.run(
                [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
                capture_output=True, text=True, check=True,
            ).stdout
            for seed in ("1", "2")
        }  # fmt: skip
        assert len(said) == 1

    def test_pydantic_is_loaded_by_those_alone_who_use_it(self) -> None:
        program = (
            "from indelible import NewEvent\nNewEvent('A', {'a': {1}})\nimport sys\nprint('pydantic' in sys.modules)"
        )
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert result.stdout == "False\n"


class TestRefused:
    @pytest.mark.parametrize(
        ("value", "pointer"),
        [
            (object(), ""),
            ({"a": [1, {"b/c~d": object()}]}, "/a/1/b~1c~0d"),
            ({"a": [1, {"b": float("nan")}]}, "/a/1/b"),
            ({"a": Decimal(1), "b": {1: 2}}, "/b"),
            ({"a": {object()}}, "/a"),
            (Item(ID, object()), "/price"),
            (Item(ID, float("inf")), "/price"),
            (OrderStruct(NOON, timedelta(), [Item(ID, Decimal(1)), Item(ID, object())]), "/allItems/1/price"),
            (Basket(OrderModel.model_construct(total=object()), 1), "/order/total"),
            ({"a": "\ud800"}, "/a"),
        ],
    )  # fmt: skip
    def test_the_field_is_named(self, value: Any, pointer: str) -> None:
        assert pointer_of(stored, value) == f"/event_data{pointer}"

    def test_what_holds_itself(self) -> None:
        circle: list[Any] = [Decimal(1)]
        circle.append(circle)
        assert pointer_of(stored, circle) == "/event_data"

    @pytest.mark.parametrize(
        ("kind", "text", "pointer"),
        [
            (Item, b"[]", ""),
            (Item, b"{", ""),
            (Item, b"{}", "/product"),
            (Item, b'{"product":"x","price":"1"}', "/product"),
            (Order, b'{"placed_at":"2026-01-31T12:00:00Z","items":[{"product":"%b"}]}', "/items/0/product"),
            (Order, b'{"placed_at":1,"items":[]}', "/placed_at"),
            (Order, b'{"placed_at":"2026-01-31T12:00:00Z","items":[],"labels":["a",1]}', "/labels/1"),
            (Order, b'{"placed_at":"2026-01-31T12:00:00Z","items":[],"labels":[],"colours":{"red":"x"}}', "/colours"),
            (Order, b'{"placed_at":"2026-01-31T12:00:00Z","items":[],"labels":[],"colours":{"green":"1"}}', "/colours"),
            (OrderModel, b'{"placedAt":"2026-01-31T12:00:00Z","total":"x"}', "/total"),
            (OrderModel, b'{"total":"1"}', "/placedAt"),
            (Basket, b'{"order":{"total":"1"},"size":1}', "/order"),
        ],
    )
    def test_what_does_not_fit_a_class(self, kind: type[Any], text: bytes, pointer: str) -> None:
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - of msgspec or pydantic
            MSGSPEC_CODEC.decoder(kind)(text)
        assert why_refused(caught.value).pointer == pointer

    def test_a_class_that_cannot_be_read(self) -> None:
        @dataclass
        class Either:
            value: Item | Order

        assert pointer_of(MSGSPEC_CODEC.decoder, Either) == "/kind"


class TestAnotherCodec:
    class Cents(Codec):
        """Writes decimals as whole cents."""

        def encode(self, value: Any) -> bytes:
            return json.dumps(value, default=lambda amount: int(amount * 100), indent=2).encode()

        def decoder(self, kind: type[Any]) -> Callable[[bytes], Any]:
            raise NotImplementedError

        def json_schema(self, kind: type[Any]) -> dict[str, Any]:
            raise NotImplementedError

    def test_writes_what_is_not_plain_json(self) -> None:
        data = {"total": Decimal("1.10")}
        assert NewEvent("A", data, codec=self.Cents()).event_data_raw == b'{"total":110}'
        assert NewEvent("A", {"total": 1.10}, codec=self.Cents()).event_data_raw == b'{"total":1.1}'

    def test_must_write_json(self) -> None:
        class Broken(self.Cents):
            def encode(self, value: Any) -> bytes:
                return b"{"

        with pytest.raises(InvalidRequest, match="not JSON"):
            NewEvent("A", Decimal(1), codec=Broken())


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3) | st.tuples(inner),
        max_leaves=8,
    )
)
def test_plain_json_stays_as_it_was(value: Any) -> None:
    assert stored(value) == encode_json(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def test_schemas() -> None:
    schema = MSGSPEC_CODEC.json_schema(Basket)
    assert schema["$defs"]["Basket"]["properties"]["size"] == {"type": "integer"}
    assert "placedAt" in MSGSPEC_CODEC.json_schema(OrderModel)["properties"]
