"""Every form of msgspec's messages that ours are made of. When a new version words one otherwise, these fail, and
``wire.strict_json.invalid_request`` and ``json_text.malformed`` have to learn it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
import pytest

from indelible.json_text import malformed
from indelible.operations.events import AtomicAppend, NewEventBody
from indelible.queries import QueryItem
from indelible.wire.strict_json import invalid_request

A_VERSION = 'must be an integer from 0, "any", "exists" or "none"'
A_TIME = "must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z"
A_UUID = 'must be a UUID such as "01890a5d-ac96-774b-bcce-b302099a8057"'


class AppendBody(msgspec.Struct, forbid_unknown_fields=True):
    """An object with others in it."""

    events: list[NewEventBody]


def said_by_msgspec(kind: Any, text: bytes) -> msgspec.DecodeError:
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(text, type=kind)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "text", "theirs", "ours"),
    [
        (str, b"1", "Expected `str`, got `int`", "must be a string, not int"),
        (str, b"1.5", "Expected `str`, got `float`", "must be a string, not float"),
        (str, b"true", "Expected `str`, got `bool`", "must be a string, not bool"),
        (str, b"null", "Expected `str`, got `null`", "must be a string, not null"),
        (str, b"[]", "Expected `str`, got `array`", "must be a string, not array"),
        (str, b"{}", "Expected `str`, got `object`", "must be a string, not object"),
        (int, b'"1"', "Expected `int`, got `str`", "must be an integer, not str"),
        (int, b"1.5", "Expected `int`, got `float`", "must be an integer, not float"),
        (float, b'"1"', "Expected `float`, got `str`", "must be a number, not str"),
        (float, b"1e999", "Number out of range", "must be a number that a double can hold"),
        (bool, b"1", "Expected `bool`, got `int`", "must be true or false, not int"),
        (tuple[str, ...], b"1", "Expected `array`, got `int`", "must be an array, not int"),
        (list[str], b"{}", "Expected `array`, got `object`", "must be an array, not object"),
        (QueryItem, b"[]", "Expected `object`, got `array`", "must be an object, not array"),
        (UUID, b"1", "Expected `uuid`, got `int`", "must be a UUID, not int"),
        (UUID, b'"x"', "Invalid UUID", A_UUID),
        (datetime, b"1", "Expected `datetime`, got `int`", "must be a time as in RFC 3339, not int"),
        (datetime, b'"x"', "Invalid RFC3339 encoded datetime", A_TIME),
        (int | Literal["any"], b'"x"', "Invalid enum value 'x'", A_VERSION),
        (int | Literal["any"], b"1.5", "Expected `int | str`, got `float`", f"{A_VERSION}, not float"),
        (int | Literal["any"], b"null", "Expected `int | str`, got `null`", f"{A_VERSION}, not null"),
    ],
)  # fmt: skip
def test_types(kind: Any, text: bytes, theirs: str, ours: str) -> None:
    error = said_by_msgspec(kind, text)
    assert (type(error), str(error)) == (msgspec.ValidationError, theirs)
    refusal = invalid_request(theirs)
    assert (refusal.message, refusal.fields) == (ours, {"pointer": ""})


@pytest.mark.parametrize(
    ("kind", "text", "theirs", "pointer", "ours"),
    [
        (AppendBody, b"{}", "Object missing required field `events`", "/events", "is missing"),
        (AppendBody, b'{"events":[{}]}', "Object missing required field `event_type` - at `$.events[0]`",
         "/events/0/event_type", "is missing"),
        (AppendBody, b'{"x":1}', "Object contains unknown field `x`", "/x", "is not a known field"),
        (AppendBody, b'{"events":[{"a.b[0]`~/":1}]}', "Object contains unknown field `a.b[0]`~/` - at `$.events[0]`",
         "/events/0/a.b[0]`~0~1", "is not a known field"),
        # A name that a caller has made up to mislead.
        (AppendBody, b'{"events":[{"a` - at `$.b":1}]}',
         "Object contains unknown field `a` - at `$.b` - at `$.events[0]`",
         "/events/0/a` - at `$.b", "is not a known field"),
        (AppendBody, '{"events":[{"ü\\n":1}]}'.encode(), "Object contains unknown field `ü\n` - at `$.events[0]`",
         "/events/0/ü\n", "is not a known field"),
        (AppendBody, b'{"events":[{"event_type":"a","tags":["b",1]}]}',
         "Expected `str`, got `int` - at `$.events[0].tags[1]`", "/events/0/tags/1", "must be a string, not int"),
        (tuple[QueryItem, ...], b'[{"tags":[]},1]', "Expected `object`, got `int` - at `$[1]`", "/1",
         "must be an object, not int"),
        (AtomicAppend, b'{"condition":{"fail_if":[{"tags":1}]},"appends":[]}',
         "Expected `array`, got `int` - at `$.condition.fail_if[0].tags`", "/condition/fail_if/0/tags",
         "must be an array, not int"),
    ],
)  # fmt: skip
def test_places(kind: Any, text: bytes, theirs: str, pointer: str, ours: str) -> None:
    assert str(said_by_msgspec(kind, text)) == theirs
    refusal = invalid_request(theirs)
    assert (refusal.pointer, refusal.message) == (pointer, ours)


LONG = "a" * 1_000_000
A_PART = "a" * 900


@pytest.mark.parametrize(
    ("kind", "text", "begins", "ours"),
    [
        (AppendBody, f'{{"{LONG}":1}}', f"/{A_PART}", "is not a known field"),
        (AppendBody, f'{{"events":[{{"{LONG}":1}}]}}', f"/events/0/{A_PART}", "is not a known field"),
        (AppendBody, f'{{"a - at `$.{LONG}":1}}', f"/a - at `$.{A_PART}", "is not a known field"),
        (int | Literal["any"], f'"{LONG}"', "", A_VERSION),
        (int | Literal["any"], f'"{LONG} - at `$.{LONG}`"', "", A_VERSION),
    ],
    ids=range(5),
)
def test_of_a_caller_s_megabytes_the_beginning_is_told(kind: Any, text: str, begins: str, ours: str) -> None:
    refusal = invalid_request(str(said_by_msgspec(kind, text.encode())))
    assert refusal.pointer.startswith(begins)
    assert len(refusal.pointer) < 1_100
    assert refusal.message == ours


HALF = "holds half of a surrogate pair ({}): only both halves together are a character"


@pytest.mark.parametrize(
    ("kind", "text", "theirs", "ours"),
    [
        (Any, b"{", "Input data was truncated", "not JSON: Input data was truncated"),
        (Any, b"[1}", "JSON is malformed: expected ',' or ']' (byte 2)", "not JSON: expected ',' or ']' (byte 2)"),
        (Any, b"[] x", "JSON is malformed: trailing characters (byte 4)", "not JSON: trailing characters (byte 4)"),
        (str, b'"\\ud800"', "Input data was truncated", HALF.format("\\ud800")),
        (str, b'"\\ud800xxxxxx"', "JSON is malformed: unexpected end of escaped utf-16 surrogate pair (byte 7)",
         HALF.format("byte 7")),
        (msgspec.Raw, b'"\\ud800x"    ', "JSON is malformed: unexpected end of hex escape (byte 7)",
         HALF.format("\\ud800")),
        (str, b'"\\udc00"', "JSON is malformed: invalid utf-16 surrogate pair (byte 7)", HALF.format("byte 7")),
        (str, b'"\\ud800\\ud800"', "JSON is malformed: invalid utf-16 surrogate pair (byte 13)",
         HALF.format("byte 13")),
    ],
)  # fmt: skip
def test_texts_that_are_no_json(kind: Any, text: bytes, theirs: str, ours: str) -> None:
    error = said_by_msgspec(kind, text)
    assert (type(error), str(error)) == (msgspec.DecodeError, theirs)
    assert malformed(error, text).message == ours
