"""What the client says and hears of groups, the server hears and says as the same."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indelible.errors import InternalError, InvalidRequest
from indelible.groups import (
    Delivery,
    GroupInfo,
    GroupSettings,
    InFlight,
    ParkedEvent,
    ParkedList,
    Settled,
    SkippedEvent,
    SkippedList,
    StartPoint,
)
from indelible.queries import Cursor, QueryItem
from indelible.wire import group_requests as requests
from indelible.wire import group_responses as responses

NOW = datetime.now(UTC)
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
ITEMS = st.builds(QueryItem, *[st.lists(NAMES, max_size=2).map(tuple)] * 3)
SETTINGS = st.builds(
    GroupSettings,
    st.lists(ITEMS, max_size=3).map(tuple),
    st.floats(0.1, 43_200),
    st.integers(1, 1_000),
    st.integers(1, 10_000),
)
STARTS = st.one_of(
    st.builds(StartPoint, st.sampled_from([None, "beginning", "end"])),
    st.builds(StartPoint, st.none(), st.integers(0, 2**53 - 1).map(Cursor.at)),
    st.builds(StartPoint, st.none(), st.none(), st.datetimes(timezones=st.just(UTC))),
)
IDS = ("1-1769861400000001", "22-1769861400000002")


@given(SETTINGS, STARTS)
def test_groups_and_resets(settings: GroupSettings, start: StartPoint):
    assert requests.decode_group(requests.encode_group(settings, start)) == (settings, start)
    assert requests.decode_reset(requests.encode_reset(start)) == start


def test_what_is_not_said_is_the_default():
    assert requests.decode_group(b"{}") == (GroupSettings(), StartPoint())
    pull = requests.decode_pull(b"{}")
    assert (pull.member, pull.limit, pull.wait_s) == ("", 100, 0.0)
    assert requests.encode_group(GroupSettings(), StartPoint()) == b"{}"


def test_changes():
    change = requests.decode_group_change(requests.encode_group_change(5, None, 7))
    assert [requests.or_none(value) for value in (change.ack_timeout_s, change.max_attempts)] == [5.0, None]
    assert change.max_in_flight == 7


def test_pulls_and_what_follows():
    pull = requests.decode_pull(requests.encode_pull("é", 5, 0.5))
    assert (pull.member, pull.limit, pull.wait_s) == ("é", 5, 0.5)
    assert requests.decode_ack(requests.encode_ack(IDS)) == [*IDS]
    nack = requests.decode_nack(requests.encode_nack(IDS, delay_s=1.5, reason="ü", park=True, untried=False))
    assert (nack.delivery_ids, nack.delay_s, nack.reason) == ([*IDS], 1.5, "ü")
    assert (nack.park, nack.untried) == (True, False)
    assert requests.decode_extend(requests.encode_extend(IDS, None)) == ([*IDS], None)
    assert requests.decode_extend(requests.encode_extend(IDS, 9)) == ([*IDS], 9.0)


def test_parked_events():
    assert requests.decode_replay_parked(requests.encode_replay_parked(None)) is None
    assert requests.decode_replay_parked(requests.encode_replay_parked((3, 4))) == [3, 4]
    skip = requests.decode_skip_parked(requests.encode_skip_parked((3,), "why"))
    assert (skip.positions, skip.reason) == ([3], "why")


LINES = (b'{"event_id":"x","event_data":{"a":1.0,"b":12345678901234567890}}', '{"ü":"\\n,"}'.encode())
GROUP = GroupInfo(
    group="billing", items=(QueryItem(("A",), (), ("t",)),), ack_timeout_s=30.0, max_attempts=5, max_in_flight=9,
    created=NOW, cursor=Cursor.at(7), position=7, lag=3, in_flight=1, waiting=2, parked=3, parked_aggregates=1,
    unreadable=0, is_stalled=False,
)  # fmt: skip
PLACE = (7, "order", "o-1", 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("group_info", GROUP),
        ("groups", (GROUP, GROUP)),
        ("groups", ()),
        ("deliveries", tuple(Delivery(one, 1, NOW, line) for one, line in zip(IDS, LINES, strict=True))),
        ("deliveries", ()),
        ("settled", Settled(1, IDS)),
        ("in_flight", (InFlight(*PLACE, 1, "m", NOW),)),
        ("parked_list", ParkedList((ParkedEvent(*PLACE, 5, "why", NOW, 3),), "7", at_end=True)),
        ("replayed", 3),
        ("skipped", 4),
        ("skipped_list", SkippedList((SkippedEvent(*PLACE, 5, "why", "so", NOW),), "7", at_end=False)),
    ],
)
def test_answers(name: str, value: Any):
    encode: Callable[[Any], bytes] = getattr(responses, f"encode_{name}")
    decode: Callable[[bytes], Any] = getattr(responses, f"decode_{name}")
    assert decode(encode(value)) == value
    with pytest.raises(InternalError):
        decode(b"<html>")


def test_delivered_events_go_out_as_they_came():
    body = responses.encode_deliveries([Delivery(IDS[0], 2, NOW, LINES[0])])
    assert b'"event":' + LINES[0] in body
    assert msgspec.json.decode(body)["deliveries"][0]["attempt"] == 2


@pytest.mark.parametrize(
    ("decode", "body", "pointer", "words"),
    [
        (requests.decode_group, b"", "", "the body is empty"),
        (requests.decode_group, b"[]", "", "must be an object"),
        (requests.decode_group, b'{"name":"x"}', "/name", "is not a known field"),
        (requests.decode_group, b'{"items":{}}', "/items", "must be an array"),
        (requests.decode_group, b'{"items":[{"tags":[1]}]}', "/items/0/tags/0", "must be a string"),
        (requests.decode_group, b'{"start":null}', "/start", "must be a string"),
        (requests.decode_group, b'{"after":"x"}', "/after", "is not a cursor"),
        (requests.decode_group, b'{"since":5}', "/since", "must be a time"),
        (requests.decode_group, b'{"since":"yesterday"}', "/since", "must be a time as in RFC 3339, such as"),
        (requests.decode_group, b'{"ack_timeout_s":"5"}', "/ack_timeout_s", "must be a number"),
        (requests.decode_group, b'{"max_attempts":1.5}', "/max_attempts", "must be an integer"),
        (requests.decode_group_change, b'{"items":[]}', "/items", "is not a known field"),
        (requests.decode_reset, b'{"at":"end"}', "/at", "is not a known field"),
        (requests.decode_pull, b'{"wait_s":true}', "/wait_s", "must be a number, not bool"),
        (requests.decode_ack, b"{}", "/delivery_ids", "is missing"),
        (requests.decode_ack, b'{"delivery_ids":["1-1",2]}', "/delivery_ids/1", "must be a string"),
        (requests.decode_nack, b'{"delivery_ids":[],"park":1}', "/park", "must be true or false"),
        (requests.decode_extend, b'{"delivery_ids":[],"ack_timeout_s":null}', "/ack_timeout_s", "must be a number"),
        (requests.decode_replay_parked, b"{}", "/positions", "is missing"),
        (requests.decode_replay_parked, b'{"all":false}', "/positions", "is missing"),
        (requests.decode_replay_parked, b'{"all":true,"positions":[1]}', "/all", "must not stand next to positions"),
        (requests.decode_skip_parked, b'{"positions":[1]}', "/reason", "is missing"),
    ],
)
def test_what_is_wrong_is_named(decode: Callable[[bytes], Any], body: bytes, pointer: str, words: str):
    with pytest.raises(InvalidRequest, match=words) as caught:
        decode(body)
    assert caught.value.pointer == pointer
