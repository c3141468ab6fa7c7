"""Persistent subscriptions: the names of their groups, and their settings."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indelible.errors import InvalidRequest
from indelible.groups import check_group
from indelible.limits import GROUP_ACK_TIMEOUT_MAX_S, GROUP_ACK_TIMEOUT_MIN_S, GROUP_ATTEMPTS_MAX
from indelible.wire.esdb.pb import persistent_pb2 as pb
from indelible.wire.esdb.persistent import ALL, END, group_name_of, is_subscription_s, settings_of

_NAMES = st.lists(st.sampled_from([":", "::", "a", "esdb", "é", "\t", "x" * 130]), min_size=1, max_size=4).map("".join)
_NOW = datetime(2026, 1, 31, tzinfo=UTC)


@given(_NAMES, _NAMES, _NAMES, _NAMES)
def test_each_subscription_has_a_group_of_its_own(stream: str, group: str, other_stream: str, other_group: str):
    name = group_name_of(stream, group)
    assert check_group(name) == name
    assert is_subscription_s(name)
    is_same = (stream, group) == (other_stream, other_group)
    assert (name == group_name_of(other_stream, other_group)) is is_same


def test_most_names_can_be_read():
    assert group_name_of("order-1", "billing") == "esdb:order-1::billing"
    assert not is_subscription_s("billing")


def request(**settings: object) -> pb.CreateReq.Options:
    options = pb.CreateReq.Options(group_name="billing")
    options.all.start.SetInParent()
    for name, value in settings.items():
        setattr(options.settings, name, value)
    return options


def test_times_and_counts_are_brought_within_what_groups_hold():
    said = settings_of(request(message_timeout_ticks=25_000_000, max_retry_count=3), _NOW)
    assert (said.message_timeout_ms, said.ack_timeout_s, said.max_attempts) == (2_500, 2.5, 4)
    assert settings_of(request(message_timeout_ms=1), _NOW).ack_timeout_s == GROUP_ACK_TIMEOUT_MIN_S
    assert settings_of(request(message_timeout_ms=0), _NOW).ack_timeout_s == GROUP_ACK_TIMEOUT_MAX_S
    assert settings_of(request(max_retry_count=2**31 - 1), _NOW).max_attempts == GROUP_ATTEMPTS_MAX


def test_what_older_clients_say_of_the_stream_and_the_strategy_counts():
    options = pb.CreateReq.Options(group_name="billing")
    options.stream_identifier.stream_name = b"order-1"
    options.settings.revision = 2**64 - 1
    options.settings.named_consumer_strategy = pb.Pinned
    said = settings_of(options, _NOW)
    assert (said.stream, said.start, said.strategy) == ("order-1", END, "Pinned")


def test_positions_in_all_and_filters_are_kept():
    options = request()
    options.all.position.commit_position = 7
    options.all.filter.event_type.prefix.append("Order")
    said = settings_of(options, _NOW)
    assert (said.stream, said.start, said.start_from) == (ALL, 7, "C:7/P:7")
    assert said.filter_options is not None
    assert said.filter_options.event_type.prefix == ["Order"]


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({"max_retry_count": -1}, "/options/settings/max_retry_count"),
        ({"message_timeout_ms": -1}, "/options/settings/message_timeout"),
        ({"consumer_strategy": "Random"}, "/options/settings/consumer_strategy"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], pointer: str):
    with pytest.raises(InvalidRequest) as refused:
        settings_of(request(**settings), _NOW)
    assert refused.value.fields["pointer"] == pointer
