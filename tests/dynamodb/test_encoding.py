"""Sort keys are in the order of what they are made of, to the last bit, and fit into what DynamoDB takes."""

import itertools
from uuid import UUID

from hypothesis import example, given, settings
from hypothesis import strategies as st

from indelible.indexes.dynamodb.encoding import (
    STRING_SIZE_BYTES_MAX,
    above,
    beginning,
    decode_suffix,
    encode_place,
    encode_step,
    encode_value,
    is_cut,
)
from indelible.indexes.index import Place
from indelible.limits import INDEX_VALUE_LENGTH_MAX
from indelible.search import kept_value
from indelible.testing.conformance.index_searches import NUMBERS, STRINGS

_numbers = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(NUMBERS)
).map(lambda one: kept_value(one, "number"))
_LONG = "x" * STRING_SIZE_BYTES_MAX
_strings = st.one_of(
    st.text(max_size=4), st.sampled_from(STRINGS), st.builds(str.__add__, st.just(_LONG), st.text(max_size=3))
)
_places = st.builds(
    Place, st.integers(-(2**62), 2**62), st.integers(0, 2**62), st.integers(0, 2**128 - 1).map(lambda n: UUID(int=n))
)


@settings(max_examples=200)
@given(_numbers, _numbers)
@example(2**63 - 1, 2.0**63)
@example(-5e-324, 0)
def test_numbers_are_in_order(one: float, other: float) -> None:
    encoded = [encode_value(value, "number") for value in (one, other)]
    assert (encoded[0] < encoded[1], encoded[0] == encoded[1]) == (one < other, one == other)


@settings(max_examples=200)
@given(_strings, _strings)
@example(_LONG, _LONG + "\x00")
@example(_LONG[:-1] + "\x00", _LONG[:-1] + "\x00a")
def test_strings_are_in_order_and_told_apart(one: str, other: str) -> None:
    encoded = [encode_value(value, "string") for value in (one, other)]
    assert (encoded[0] == encoded[1]) == (one == other)
    if not (is_cut(one) and is_cut(other)):
        assert (encoded[0] < encoded[1]) == (one < other)
    elif one < other:
        assert encoded[0][:STRING_SIZE_BYTES_MAX] <= encoded[1][:STRING_SIZE_BYTES_MAX]
    if other.startswith(one):
        assert beginning(one) <= encoded[1] <= above(beginning(one))


@settings(max_examples=100)
@given(_places, _places, st.integers(1, 2**63))
def test_places_are_in_order_and_come_back(one: Place, other: Place, step: int) -> None:
    assert (encode_place(one) < encode_place(other)) == (one < other)
    assert decode_suffix(b"anything" + encode_place(one) + encode_step(step)) == (one, step)


def test_the_longest_fits() -> None:
    """1,024 bytes of a sort key, and of two that are the bounds of a query."""
    place = encode_place(Place(0, 0, UUID(int=0))) + encode_step(1)
    for one, length in itertools.product(("x", "é", "\U0001f600", "\x00"), (1, 300, INDEX_VALUE_LENGTH_MAX)):
        assert len(encode_value(one * length, "string") + place + b"\xff") <= 512
        assert len(above(beginning(one * length))) <= 512


def test_a_place_that_no_event_has_is_as_far_as_may_be() -> None:
    """A caller may have made up the cursor that it is from."""
    for made_up in (Place(-(2**70), -1, UUID(int=0)), Place(2**70, 2**70, UUID(int=1))):
        assert len(encode_place(made_up)) == 32
