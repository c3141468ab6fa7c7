"""JSON as text: strict, bounded in depth, to the letter, and compared as JSON."""

import json
from collections import OrderedDict
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from held import held_at_most
from indelible.errors import InvalidRequest
from indelible.json_text import check_bounds, compact_json, decode_json, encode_json, json_equal
from indelible.limits import JSON_DEPTH_MAX, JSON_NUMBER_DIGITS_MAX


@pytest.mark.parametrize("number", [b"1e300", b"1E+300", b"5e-324", b"1e00300", b"1e23", b"1.5e299 ", b"1e999"])
def test_numbers_that_are_slow_to_read_hold_nobody_up(number: bytes) -> None:
    """Otherwise those with three digits take seconds."""
    text = b'{"a":[' + b",".join([number] * (1_000_000 // (len(number) + 1))) + b'],"b":"1e300,","c":9007199254740993}'
    with held_at_most(0.5):
        value = decode_json(text)
    assert value == json.loads(text)


def values_of(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
    )


exact_values = values_of(st.none() | st.booleans() | st.integers() | st.text())
json_values = exact_values | values_of(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
numbers = st.from_regex(r"\A-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?\Z")


def depth_of(value: Any) -> int:
    """The obvious definition, to compare with."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@st.composite
def deep_values(draw: st.DrawFn) -> Any:
    """Values about as deep as is allowed, with brackets in strings, and some breadth on the way."""
    value: Any = draw(json_values)
    for _ in range(draw(st.integers(JSON_DEPTH_MAX - 8, JSON_DEPTH_MAX + 3))):
        beside = draw(st.sampled_from([None, "]}", '[{"\\', [], {}, [[[]]]]))
        value = draw(st.sampled_from([[value], {"k": value}, [beside, value], {"[": beside, "k": value}]))
    return value


class Level(IntEnum):
    HIGH = 3


class Colour(StrEnum):
    RED = "red"


class TestEncode:
    @given(json_values)
    def test_says_what_was_meant(self, value: Any) -> None:
        text = encode_json(value)
        assert text == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        assert json.loads(text) == value
        assert decode_json(text) == value
        assert compact_json(text) == text

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ((1, (2, [])), b"[1,[2,[]]]"),
            (OrderedDict(b=1, a=2), b'{"b":1,"a":2}'),
            ([Level.HIGH, Colour.RED], b'[3,"red"]'),
            ({Colour.RED: True}, b'{"red":true}'),
            ([1.0, 1, True, 1e22, -0.0, 5e-324], b"[1.0,1,true,1e+22,-0.0,5e-324]"),
            (2**200, str(2**200).encode()),
            ("é\u2028\x7f😀", '"é\u2028\x7f😀"'.encode()),
            (msgspec.Raw(b' { "a" : 1.00 } '), b'{"a":1.00}'),
        ],
    )
    def test_python_values(self, value: Any, text: bytes) -> None:
        assert encode_json(value) == text

    @pytest.mark.parametrize(
        "value",
        [
            float("nan"), float("inf"), [-float("inf")], {1, 2}, b"x", object(), Decimal(1), "\ud800", {"\udfff": 1},
            10**5_000, msgspec.Raw(b""), msgspec.Raw(b"{"), msgspec.Raw(b"\xff"), msgspec.UNSET,
        ],
        ids=lambda value: type(value).__name__,
    )  # fmt: skip
    def test_what_json_cannot_say(self, value: Any) -> None:
        with pytest.raises(InvalidRequest):
            encode_json(value)

    @pytest.mark.parametrize("key", [1, 1.5, True, None, (1, 2), b"x"])
    def test_keys_must_be_strings(self, key: Any) -> None:
        """A key that would come back as another one is not taken."""
        for value in ({key: 1}, [{"a": ({key: 1},)}]):
            with pytest.raises(InvalidRequest, match="key"):
                encode_json(value)

    def test_circles(self) -> None:
        circle: list[Any] = []
        circle.append(circle)
        with pytest.raises(InvalidRequest):
            encode_json(circle)

    def test_far_too_deep(self) -> None:
        value: Any = None
        for _ in range(100_000):
            value = [value]
        with pytest.raises(InvalidRequest, match="deep"):
            encode_json(value)


class TestCompact:
    @given(json_values, st.integers(0, 3), st.booleans())
    def test_only_white_space_goes(self, value: Any, indent: int, ascii_only: bool) -> None:
        spaced = json.dumps(value, indent=indent, ensure_ascii=ascii_only, separators=(" ,\t", " :\r\n"))
        dense = json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))
        assert compact_json(spaced.encode()) == dense.encode()

    @given(numbers)
    def test_numbers_stay_to_the_letter(self, number: str) -> None:
        assert compact_json(f" [ {number} , {number} ] ".encode()) == f"[{number},{number}]".encode()

    @pytest.mark.parametrize(
        "text",
        [
            b"", b" ", b"nul", b"NaN", b"Infinity", b"-Infinity", b"+1", b"01", b"1.", b".5", b"1e", b"-", b"0x1",
            b"[1,]", b"[,]", b"[1", b"[1}", b'{"a":1,}', b'{"a"}', b"{a:1}", b"{1:2}", b"'a'", b'"a', b'"\n"',
            b'"\\x41"', b'"\\u12"', b'"\\ud800"', b'"\\udc00\\ud800"', b'{"\\ud800":1}', b"\xef\xbb\xbf1", b"1\x00",
            b'"\x00"', b"1 2", b'"\xff"', b'"\xed\xa0\x80"', b"// a\n1", b"True",
        ],
    )  # fmt: skip
    def test_what_is_not_strict_json(self, text: bytes) -> None:
        with pytest.raises(InvalidRequest):
            compact_json(text)

    @given(st.binary(max_size=30) | st.text('{}[]",:0123456789eE.-+ \\u\n', max_size=30).map(str.encode))
    @example(b"1e5")
    def test_takes_only_what_the_standard_library_takes(self, text: bytes) -> None:
        try:
            compact = compact_json(text)
        except InvalidRequest:
            return
        assert repr(json.loads(compact)) == repr(json.loads(text))

    def test_far_too_deep(self) -> None:
        for count in (JSON_DEPTH_MAX + 1, 100_000):
            with pytest.raises(InvalidRequest, match="deep"):
                compact_json(b"[" * count + b"]" * count)


class TestDepth:
    @settings(max_examples=40)
    @given(deep_values())
    def test_agrees_with_the_obvious_definition(self, value: Any) -> None:
        text = json.dumps(value).encode()
        if depth_of(value) <= JSON_DEPTH_MAX:
            check_bounds(text)
        else:
            with pytest.raises(InvalidRequest) as caught:
                check_bounds(text)
            assert caught.value.fields == {"pointer": "", "limit": JSON_DEPTH_MAX}

    @pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"[[[\\"{":'])
    def test_limit_itself(self, opening: bytes) -> None:
        levels = opening.replace(b'"[[[\\"{"', b"").count(b"[") + opening.replace(b'"[[[\\"{"', b"").count(b"{")
        closing = {b"[": b"]", b'{"a":': b"}", b'[{"[[[\\"{":': b"}]"}[opening]
        count = JSON_DEPTH_MAX // levels
        check_bounds(opening * count + b"1" + closing * count)
        with pytest.raises(InvalidRequest):
            check_bounds(opening * (count + 1) + b"1" + closing * (count + 1))

    @pytest.mark.parametrize(
        "text", ['"' + "[" * 200 + '"', '"\\"' + "[" * 200 + '"', '["\\\\",' + '"[",' * 200 + "1]"]
    )
    def test_brackets_in_strings_do_not_count(self, text: str) -> None:
        json.loads(text)
        check_bounds(text.encode())

    def test_backslash_before_the_closing_quote(self) -> None:
        text = b'["\\\\",' * (JSON_DEPTH_MAX + 1) + b"1" + b"]" * (JSON_DEPTH_MAX + 1)
        assert depth_of(json.loads(text)) == JSON_DEPTH_MAX + 1
        with pytest.raises(InvalidRequest):
            check_bounds(text)


class TestLongNumbers:
    @pytest.mark.parametrize("shape", ["{}", "-{}", "0.{}", "1e{}", '{{"a":[1,{}]}}', '{{"0":{}}}', '["0",{},"0"]'])
    def test_more_digits_than_anyone_reads(self, shape: str) -> None:
        digits = "7" * JSON_NUMBER_DIGITS_MAX
        compact_json(shape.format(digits).encode())
        for call in (compact_json, lambda text: encode_json(msgspec.Raw(text))):
            with pytest.raises(InvalidRequest, match="digits") as caught:
                call(shape.format(digits + "7").encode())
            assert caught.value.fields == {"pointer": "", "digits_max": JSON_NUMBER_DIGITS_MAX}

    def test_digits_in_strings_do_not_count(self) -> None:
        digits = "7" * 3 * JSON_NUMBER_DIGITS_MAX
        for text in (f'"{digits}"', f'["\\"{digits}",1]', f'{{"{digits}":12}}', f'[1,"{digits}\\\\",2]'):
            assert compact_json(text.encode()) == text.encode()

    def test_numbers_beside_a_string_are_two(self) -> None:
        half = "7" * (JSON_NUMBER_DIGITS_MAX // 2 + 1)
        text = f'[{half},"{half}{half}{half}",{half}]'.encode()
        assert compact_json(text) == text


class TestDecode:
    @pytest.mark.parametrize("digits", [1, 18, 20, 400, JSON_NUMBER_DIGITS_MAX])
    def test_integers_of_any_size_are_exact(self, digits: int) -> None:
        for sign in ("", "-"):
            text = sign + "7" * digits
            value = decode_json(compact_json(f'{{"n": [{text}]}}'.encode()))["n"][0]
            assert isinstance(value, int)
            assert value == int(sign + "1") * ((10**digits - 1) // 9 * 7)

    def test_numbers_beyond_a_double(self) -> None:
        assert decode_json(b"[1e999,-1e999,1e-999]") == [float("inf"), float("-inf"), 0.0]


class TestEqual:
    @given(json_values)
    def test_spelling_does_not_count(self, value: Any) -> None:
        spellings = [
            json.dumps(value, ensure_ascii=ascii_only, indent=indent, sort_keys=sort_keys).encode()
            for ascii_only in (False, True)
            for indent in (None, 1)
            for sort_keys in (False, True)
        ]
        assert all(json_equal(spellings[0], spelling) for spelling in spellings)

    @given(exact_values, exact_values)
    def test_agrees_with_python_but_for_true_and_1(self, one: Any, other: Any) -> None:
        same = one == other and type(one) is type(other)
        if isinstance(one, (list, dict)) or isinstance(other, (list, dict)):
            same = same and "True" not in f"{one}{other}" and "False" not in f"{one}{other}"
        if same:
            assert json_equal(json.dumps(one).encode(), json.dumps(other).encode())
        if one != other:
            assert not json_equal(json.dumps(one).encode(), json.dumps(other).encode())

    @given(numbers, numbers)
    def test_numbers_are_compared_exactly(self, one: str, other: str) -> None:
        assert json_equal(one.encode(), other.encode()) == (Decimal(one) == Decimal(other))

    @pytest.mark.parametrize(
        ("one", "other", "equal"),
        [
            (b"1", b"1.0", True),
            (b"1", b"true", False),
            (b"0", b"false", False),
            (b"[1]", b"[true]", False),
            (b"null", b"0", False),
            (b"1", b'"1"', False),
            (b"{}", b"[]", False),
            (b'{"a":1,"b":2}', b'{"b":2.0,"a":1}', True),
            (b'{"a":1,"b":2}', b'{"b":1,"a":2}', False),
            (b'{"a":1,"a":2}', b'{"a":2}', False),
            (b'{"a":1,"a":2}', b'{"a":2,"a":1}', False),
            (b'{"a":1,"a":2}', b'{"a":1.0,"a":2}', True),
            (b'{"a":1,"a":2}', b'[["a",1],["a",2]]', False),
            (b"9007199254740993", b"9007199254740992.0", False),
            (b"1" + b"0" * 5_000, b"1e5000", True),
            (b"1e400", b"10e399", True),
            (b"1e400", b"1e401", False),
            (b"1e-400", b"0", False),
            (b"-0", b"0.0", True),
            (b"1e99999999999999999999", b" 1e99999999999999999999", True),
            (b"1e99999999999999999999", b"1e99999999999999999998", False),
            (b"1e99999999999999999999", b'"1e99999999999999999999"', False),
            (b"1e-99999999999999999999", b"0", False),
            (b'"\\u00e9"', '"é"'.encode(), True),
            (b'"\\u00e9"', '"e\u0301"'.encode(), False),
        ],
    )
    def test_cases(self, one: bytes, other: bytes, equal: bool) -> None:
        assert json_equal(one, other) is equal
        assert json_equal(other, one) is equal
        assert json_equal(b'{"k":[' + one + b"]}", b' {"k":[' + other + b"]}") is equal
