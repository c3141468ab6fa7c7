"""The table of operations: every row is whole, and what it is asked with and answers comes over both APIs as it was."""

import contextlib
from datetime import UTC, datetime
from operator import attrgetter
from typing import Annotated, Any, Literal, get_args, get_origin
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from held import held_at_most
from indelible import words
from indelible.access import Permission
from indelible.client import AsyncClient
from indelible.cursors import Cursor, cursor_at
from indelible.errors import InternalError, InvalidRequest
from indelible.groups import Delivery
from indelible.limits import (
    SEARCH_CONDITIONS_MAX,
    SEARCH_REQUEST_SIZE_BYTES_MAX,
    SEARCH_VALUES_MAX,
    SEARCH_WHERE_PARTS_MAX,
)
from indelible.operations import OPERATIONS, Operation, Parameters
from indelible.operations import deliveries as on_deliveries
from indelible.operations import events as on_events
from indelible.operations import groups as on_groups
from indelible.operations import relays as on_relays
from indelible.operations import replays as on_replays
from indelible.operations import search as on_search
from indelible.operations import store as on_store
from indelible.operations.operation import Retry
from indelible.search import SearchQuery, Where
from indelible.wire import operation_json, operation_proto
from indelible.wire.errors import STATUSES
from indelible.wire.pb import groups_pb2 as pb
from indelible.wire.pb import relays_pb2 as relays_pb
from indelible.wire.pb import search_pb2 as search_pb
from indelible.wire.strict_json import check_parts

ROWS = pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
OWN_FORM = {"append", "append_atomic", "append_batch", "get_event", "subscribe", "consume"}
"""Operations whose messages over gRPC have another form than JSON has."""
GENERAL = pytest.mark.parametrize(
    "row", [one for one in OPERATIONS if one.name not in OWN_FORM], ids=lambda row: row.name
)
ONLY_IN_MESSAGES = {"query", "pages_max"}
QUERY = {"event_type", "aggregate_type", "tag", "since", "until", "items"}
"""What is a query of its own in messages."""
NOW = datetime.now(UTC)
LINE = (
    b'{"event_id":"01890a5d-ac96-774b-bcce-b302099a8057","event_type":"Any","aggregate_type":"a","aggregate_id":"1",'
    b'"version":1,"position":7,"timestamp":"2026-01-31T12:00:00.000000Z","event_data":{"a":1.0},"metadata":{},"tags":[],'
    b'"content_type":"application/json","hash":"' + b"0" * 64 + b'"}'
)


# --- Rows ------------------------------------------------------------------------------------------------------------


@ROWS
def test_a_row_is_whole(row: Operation[Any, Any]):
    names = {one.name for one in msgspec.structs.fields(row.parameters)}
    assert set(row.path_parameters) <= names
    assert set(row.errors) <= set(STATUSES)
    assert row.summary
    assert row.description
    assert row.parameters.__doc__
    assert callable(attrgetter(row.store_method or row.name)(AsyncClient("memory:")))
    assert row.permission in get_args(Permission)
    assert row.retry in get_args(Retry)
    if row.answer_field is not None:
        assert [one.name for one in msgspec.structs.fields(row.answer)] == [row.answer_field]


@GENERAL
def test_messages_have_the_fields_of_the_structs(row: Operation[Any, Any]):
    def fields(kind: Any) -> set[str]:
        return {one.encode_name for one in msgspec.structs.fields(kind)}

    own = fields(row.parameters) - (QUERY if issubclass(row.parameters, on_events.OfFeed) else set())
    request = set(operation_proto.request_type(row).DESCRIPTOR.fields_by_name) - (ONLY_IN_MESSAGES - own)
    assert request == own
    answer = set(operation_proto.answer_type(row).DESCRIPTOR.fields_by_name) - ONLY_IN_MESSAGES
    assert answer == (fields(row.answer) if row.answer else set())


def test_no_two_rows_share_a_name_or_a_way():
    for ways in ([row.name for row in OPERATIONS], [row.grpc for row in OPERATIONS]):
        assert len(set(ways)) == len(ways)
    over_http = [(row.method, row.path, row.media_type) for row in OPERATIONS if row.path]
    assert len(set(over_http)) == len(over_http)


@ROWS
def test_every_field_says_what_it_means(row: Operation[Any, Any]):
    _, schemas = msgspec.json.schema_components([row.parameters, *([row.answer] if row.answer else ())])
    for name, schema in schemas.items():
        for field, inner in schema["properties"].items():
            said = [inner, *inner.get("anyOf", ())]
            assert any("description" in one for one in said), f"{name}.{field}"


# --- There and back --------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
PLAIN = {
    str: TEXT,
    int: st.integers(1, 2**31 - 1),
    float: st.floats(0.5, 1_000),
    bool: st.booleans(),
    UUID: st.uuids(),
    datetime: st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - UTC is added to it
    Cursor: st.integers(0, 2**53 - 1).map(cursor_at),
    Any: TEXT | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.lists(TEXT, max_size=3),
    msgspec.Raw: st.sampled_from([b"{}", b'{"a":[1.0,2]}']).map(msgspec.Raw),
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    if get_origin(kind) is Annotated:
        return st.just(msgspec.Raw(LINE)) if kind == words.EventLine else values_of(get_args(kind)[0])
    if type(None) in get_args(kind):
        return st.none() | values_of(next(one for one in get_args(kind) if one is not type(None)))
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return structs_of(kind)
    if get_args(kind):
        return st.lists(values_of(get_args(kind)[0]), min_size=1, max_size=3).map(tuple)
    return PLAIN[kind]


def structs_of(kind: Any) -> st.SearchStrategy[Any]:
    if kind is Delivery:
        return st.builds(Delivery, TEXT, st.integers(1, 9), PLAIN[datetime], st.just(msgspec.Raw(LINE)))
    if kind is on_events.FeedPageBody:
        lines = st.lists(st.just(msgspec.Raw(LINE)), max_size=3).map(tuple)
        return st.builds(kind, lines, PLAIN[Cursor].map(str), st.booleans())
    return st.fixed_dictionaries({one.name: values_of(one.type) for one in msgspec.structs.fields(kind)}).map(
        lambda given: kind(**given)
    )


def comparable(value: Any) -> Any:
    """As JSON: two texts of it compare by identity. Of a query what it asks for, which can be said in several ways."""
    if isinstance(value, on_events.OfFeed):
        rest = {name: getattr(value, name) for name in value.__struct_fields__ if name not in QUERY}
        return comparable({"query": value.query, **rest})
    return msgspec.json.decode(msgspec.json.encode(value, enc_hook=str))


STARTING = (
    on_groups.CreateGroup, on_groups.ResetGroup, on_relays.ClaimRelay, on_relays.ResetRelay, on_replays.ReplayRelay,
)  # fmt: skip


def said_once(parameters: Parameters) -> Parameters:
    """A oneof of protobuf holds one of its fields, and a query is said in one way."""
    if isinstance(parameters, on_events.OfFeed) and parameters.items is not None:
        return msgspec.structs.replace(parameters, event_type=(), aggregate_type=(), tag=())
    if isinstance(parameters, STARTING) and parameters.start is not None:
        return msgspec.structs.replace(parameters, after=None, since=None)
    if isinstance(parameters, STARTING) and parameters.after is not None:
        return msgspec.structs.replace(parameters, since=None)
    return parameters


@GENERAL
@given(data=st.data())
def test_parameters_come_over(row: Operation[Any, Any], data: st.DataObject):
    sent = said_once(data.draw(structs_of(row.parameters)))
    path, pairs, body = operation_json.encode_parameters(row, sent)
    assert path.startswith("/v1/")
    texts: dict[str, list[str]] = {name: [str(getattr(sent, name))] for name in row.path_parameters}
    for name, text in pairs:
        texts.setdefault(name, []).append(text)
    assert comparable(operation_json.decode_parameters(row, texts, body)) == comparable(sent)
    message = operation_proto.encode_parameters(row, sent)
    received = type(message).FromString(message.SerializeToString())
    assert comparable(operation_proto.decode_parameters(row, received)) == comparable(sent)


@GENERAL
@given(data=st.data())
def test_answers_come_over(row: Operation[Any, Any], data: st.DataObject):
    sent = None if row.answer is None else row.unwrap(data.draw(structs_of(row.answer)))
    assert comparable(operation_json.decode_answer(row, operation_json.encode_answer(row, sent))) == comparable(sent)
    message = operation_proto.answer_type(row).FromString(operation_proto.encode_answer(row, sent))
    assert comparable(operation_proto.decode_answer(row, message)) == comparable(sent)


FAST = (
    on_events.APPEND, on_events.APPEND_ATOMIC, on_events.READ_AGGREGATE, on_events.READ_FEED, on_events.REPLAY,
    on_deliveries.PULL,
)  # fmt: skip


@pytest.mark.parametrize("row", FAST, ids=lambda row: row.name)
@given(data=st.data())
def test_fast_ways_say_what_the_general_one_says(row: Operation[Any, Any], data: st.DataObject):
    sent = row.unwrap(data.draw(structs_of(row.answer)))
    assert operation_json.encode_answer(row, sent) == operation_json.encode_any_answer(row, sent)
    kind = operation_proto.answer_type(row)
    fast, general = operation_proto.encode_answer(row, sent), operation_proto.encode_any_answer(row, sent)
    assert kind.FromString(fast) == kind.FromString(general)
    assert comparable(operation_proto.decode_answer(row, kind.FromString(general))) == comparable(sent)


def test_delivered_events_go_out_as_they_came():
    body = operation_json.encode_answer(on_deliveries.PULL, (Delivery("1-2", 2, NOW, msgspec.Raw(LINE)),))
    assert b'"event":' + LINE in body


def test_an_answer_that_is_none():
    with pytest.raises(InternalError):
        operation_json.decode_answer(on_groups.GET_GROUP, b"<html>")


# --- What is missing, and what is wrong ------------------------------------------------------------------------------


def test_what_is_not_said_is_the_default():
    asked = operation_json.decode_parameters(on_groups.CREATE_GROUP, {"group": ["billing"]}, b"{}")
    assert asked == on_groups.CreateGroup("billing")
    message = pb.CreateGroupRequest(group="billing")
    assert operation_proto.decode_parameters(on_groups.CREATE_GROUP, message) == asked
    change = operation_proto.decode_parameters(on_groups.CHANGE_GROUP, pb.ChangeGroupRequest(max_attempts=0))
    assert change.changes == {"max_attempts": 0}


@pytest.mark.parametrize(
    ("row", "body", "pointer", "words"),
    [
        (on_groups.CREATE_GROUP, b"", "", "the body is empty"),
        (on_groups.CREATE_GROUP, b"[]", "", "must be an object"),
        (on_groups.CREATE_GROUP, b'{"name":"x"}', "/name", "is not a known field"),
        (on_groups.CREATE_GROUP, b'{"group":"x"}', "/group", "is not a known field"),
        (on_groups.CREATE_GROUP, b'{"items":{}}', "/items", "must be an array"),
        (on_groups.CREATE_GROUP, b'{"items":[{"tags":[1]}]}', "/items/0/tags/0", "must be a string"),
        (on_groups.CREATE_GROUP, b'{"items":[{"tag":[]}]}', "/items/0/tag", "is not a known field"),
        (on_groups.CREATE_GROUP, b'{"items":[{"tags":[],"tags":[]}]}', "/items/0/tags", "stands twice"),
        (on_groups.CREATE_GROUP, b'{"start":null}', "/start", "must be a string"),
        (on_groups.CREATE_GROUP, b'{"after":"x y"}', "/after", "is not a cursor"),
        (on_groups.CREATE_GROUP, b'{"since":5}', "/since", "must be a time"),
        (on_groups.CREATE_GROUP, b'{"since":"yesterday"}', "/since", "must be a time as in RFC 3339, such as"),
        (on_groups.CREATE_GROUP, b'{"ack_timeout_s":"5"}', "/ack_timeout_s", "must be a number"),
        (on_groups.CREATE_GROUP, b'{"max_attempts":1.5}', "/max_attempts", "must be an integer"),
        (on_groups.CHANGE_GROUP, b'{"items":[]}', "/items", "is not a known field"),
        (on_groups.RESET_GROUP, b'{"at":"end"}', "/at", "is not a known field"),
        (on_deliveries.PULL, b'{"wait_s":true}', "/wait_s", "must be a number, not bool"),
        (on_deliveries.ACK, b"{}", "/delivery_ids", "is missing"),
        (on_deliveries.ACK, b'{"delivery_ids":["1-1",2]}', "/delivery_ids/1", "must be a string"),
        (on_deliveries.NACK, b'{"delivery_ids":[],"park":1}', "/park", "must be true or false"),
        (on_deliveries.EXTEND, b'{"delivery_ids":[],"ack_timeout_s":null}', "/ack_timeout_s", "must be a number"),
        (on_deliveries.SKIP_PARKED, b'{"positions":[1]}', "/reason", "is missing"),
    ],
)
def test_what_is_wrong_is_named(row: Operation[Any, Any], body: bytes, pointer: str, words: str):
    with pytest.raises(InvalidRequest, match=words) as caught:
        operation_json.decode_parameters(row, {"group": ["billing"]}, body)
    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        (b'{"replay":{"name":"replay-1","cursor":"x y"}}', "/replay/cursor", "not a cursor"),
        (b'{"replay":{"name":"replay-1","cursor":5}}', "/replay/cursor", "must be a cursor"),
        (b'{"refused":{"position":1}}', "/refused/reason", "is missing"),
        (b'{"retried":{"position":1,"name":""}}', "/retried/name", "is not a known field"),
    ],
)
def test_what_is_wrong_within_is_named(body: bytes, pointer: str, words: str):
    with pytest.raises(InvalidRequest, match=words) as caught:
        operation_json.decode_parameters(on_relays.ADVANCE_RELAY, {"relay": ["orders"]}, body)
    assert caught.value.pointer == pointer


def test_what_is_wrong_within_a_message_is_named():
    message = relays_pb.AdvanceRelayRequest(replay=relays_pb.ReplayProgress(cursor="x y"))
    with pytest.raises(InvalidRequest, match="is not a cursor") as caught:
        operation_proto.decode_parameters(on_relays.ADVANCE_RELAY, message)
    assert caught.value.pointer == "/replay/cursor"


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        (b'{"query":5}', "/query", "must be a string"),
        (b'{"text":"x"}', "/text", "is not a known field"),
        (b'{"where":{}}', "/where", "must be an array"),
        (b'{"where":[{"operator":"="}]}', "/where/0/field", "is missing"),
        (b'{"where":[{"field":"a","operator":5}]}', "/where/0/operator", "must be a string"),
        (b'{"where":[{"field":"a","operator":"=","values":1}]}', "/where/0/values", "is not a known field"),
        (b'{"where":[{"field":"a","operator":"=","field":"b"}]}', "/where/0/field", "stands twice"),
        (b'{"aggregates":1}', "/aggregates", "must be true or false"),
        (b'{"wait_for":"x y"}', "/wait_for", "is not a cursor"),
        (b'{"wait_s":"5"}', "/wait_s", "must be a number"),
    ],
)
def test_what_is_wrong_with_a_search_is_named(body: bytes, pointer: str, words: str):
    with pytest.raises(InvalidRequest, match=words) as caught:
        operation_json.decode_parameters(on_search.SEARCH, {}, body)
    assert caught.value.pointer == pointer


def test_a_value_that_is_no_json_is_named():
    where = [search_pb.Where(field="a", operator="=", value=value) for value in ("1", "{")]
    with pytest.raises(InvalidRequest, match="must be JSON text") as caught:
        operation_proto.decode_parameters(on_search.SEARCH, search_pb.SearchRequest(where=where))
    assert caught.value.pointer == "/where/1/value"
    deep = search_pb.Where(field="a", operator="=", value="[" * 100_000)
    with pytest.raises(InvalidRequest):
        operation_proto.decode_parameters(on_search.SEARCH, search_pb.SearchRequest(where=[deep]))


@pytest.mark.parametrize("part", ["[]", "{}", "1", '""', r'"\""'])
def test_values_of_a_search_are_counted_before_they_are_made(part: str):
    """A MiB of lists that hold nothing becomes 60 MiB of them."""
    values = f"[{','.join([part] * 2 * SEARCH_WHERE_PARTS_MAX)}]"
    body = f'{{"where":[{{"field":"a","operator":"in","value":{values}}}]}}'.encode()
    with pytest.raises(InvalidRequest, match="has too many values") as caught:
        operation_json.decode_parameters(on_search.SEARCH, {}, body)
    assert caught.value.pointer == "/where"
    where = [search_pb.Where(field="a", operator="in", value=values)]
    with pytest.raises(InvalidRequest, match="has too many values") as caught:
        operation_proto.decode_parameters(on_search.SEARCH, search_pb.SearchRequest(where=where))
    assert caught.value.pointer == "/where/0/value"


def test_conditions_of_a_search_are_counted_before_they_are_made():
    where = [search_pb.Where(field="a", operator="=", value="{")] * (SEARCH_CONDITIONS_MAX + 1)
    with pytest.raises(InvalidRequest, match=f"at most {SEARCH_CONDITIONS_MAX} items") as caught:
        operation_proto.decode_parameters(on_search.SEARCH, search_pb.SearchRequest(where=where))
    assert caught.value.pointer == "/where"


def test_the_most_values_of_a_search_are_read():
    values = [f'"{number}", [{{\\' * 10 for number in range(SEARCH_VALUES_MAX)]
    asked = on_search.Search.of(SearchQuery(where=(Where("a", "in", values), Where("b", "in", values))))
    _, _, body = operation_json.encode_parameters(on_search.SEARCH, asked)
    assert body is not None
    assert len(body) < SEARCH_REQUEST_SIZE_BYTES_MAX
    read = (
        operation_json.decode_parameters(on_search.SEARCH, {}, body),
        operation_proto.decode_parameters(on_search.SEARCH, operation_proto.encode_parameters(on_search.SEARCH, asked)),
    )
    assert [[list(one.value) for one in search.where] for search in read] == [[values, values]] * 2


@pytest.mark.parametrize("text", ['"' * 500_000, r'"\"' * 300_000, "\\" * 500_000, '"' + r"\"" * 300_000 + "\\"])
def test_parts_are_counted_in_one_pass(text: str):
    with held_at_most(1), contextlib.suppress(InvalidRequest):
        check_parts(text.encode(), SEARCH_WHERE_PARTS_MAX, "/where")


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        (on_deliveries.RedriveParked("g"), "/positions"),
        (on_deliveries.RedriveParked("g", (1,), all=True), "/all"),
        (on_groups.ChangeGroup("g"), ""),
        (on_groups.ResetGroup("g"), "/start"),
        (on_groups.CreateGroup("g", start="middle"), "/start"),  # type: ignore[arg-type]  # that is the point
        (on_groups.CreateGroup("g", start="end", after=cursor_at(1)), "/start"),
        (on_replays.ReplayRelay("r"), "/start"),
        (on_replays.RetrySetAside("r"), "/positions"),
        (on_replays.DismissSetAside("r", (1,), all=True), "/all"),
        (on_replays.DismissSetAside("r", (0,)), "/positions/0"),
        (on_store.ListAggregates(limit=0), "/limit"),
        (on_store.GetAggregate("a-b", "1"), "/aggregate_type"),
        (on_store.GetSnapshot("a", "1", 0), "/at_version"),
    ],
)
def test_what_is_not_allowed_is_refused(parameters: Parameters, pointer: str):
    with pytest.raises(InvalidRequest) as caught:
        parameters.check()
    assert caught.value.pointer == pointer
