"""Persistent subscriptions: to make, change, delete and look at them, and what each is for."""

import json
from uuid import uuid4

import pytest
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import AlreadyExistsError, CancelledError, NotFoundError

from esdb.persistent import append, eventually, ids, new_group, new_stream, next_position, reading, take


@pytest.fixture
def group() -> str:
    return new_group()


def places(client: KurrentDBClient, group: str, stream: str) -> tuple[str, str]:
    """What is known of the stream, and how far the group has come."""
    info = client.get_subscription_info(group, stream)
    return info.last_known_event_position, info.last_checkpointed_event_position


def test_a_stream_s_events_come_in_order_and_once(client: KurrentDBClient, stream: str, group: str):
    append(client, new_stream())
    events = append(client, stream, 3)
    client.create_subscription_to_stream(group, stream)
    append(client, new_stream(), 2)
    events += append(client, stream, 2)
    found = take(client, group, stream, 5)
    assert ids(found) == ids(events)
    assert [(event.stream_position, event.retry_count) for event in found] == [(n, 0) for n in range(5)]


def test_what_was_acknowledged_does_not_come_again(client: KurrentDBClient, stream: str, group: str):
    client.create_subscription_to_stream(group, stream)
    append(client, stream, 2)
    take(client, group, stream, 2)
    later = append(client, stream)
    assert ids(take(client, group, stream, 1)) == ids(later)


@pytest.mark.parametrize(("start", "revisions"), [({"stream_position": 1}, [1, 2, 3]), ({"from_end": True}, [3])])
def test_a_stream_is_read_from_where_it_is_said(
    client: KurrentDBClient, stream: str, group: str, start: dict[str, int], revisions: list[int]
):
    append(client, stream, 3)
    client.create_subscription_to_stream(group, stream, **start)
    append(client, stream)
    assert [event.stream_position for event in take(client, group, stream, len(revisions))] == revisions


def test_a_revision_that_is_not_there_yet_is_waited_for(client: KurrentDBClient, stream: str, group: str):
    append(client, stream)
    client.create_subscription_to_stream(group, stream, stream_position=3)
    append(client, stream, 3)
    assert [event.stream_position for event in take(client, group, stream, 1)] == [3]


def test_all_is_read_from_a_position_with_a_filter(client: KurrentDBClient, group: str):
    kind = f"Kind{uuid4().hex}"
    append(client, new_stream(), kind=kind)
    client.create_subscription_to_all(group, commit_position=next_position(client), filter_include=[kind])
    wanted = []
    for _ in range(3):
        append(client, new_stream(), 2)
        wanted += append(client, new_stream(), kind=kind)
    assert sorted(ids(take(client, group, None, 3))) == sorted(ids(wanted))


def test_links_are_resolved_where_that_is_wanted(client: KurrentDBClient, stream: str, group: str):
    (event,) = append(client, stream)
    links = f"links-{uuid4()}"
    link = NewEvent(type="$>", data=f"0@{stream}".encode(), content_type="application/octet-stream")
    client.append_to_stream(links, current_version=StreamState.ANY, events=[link])
    client.create_subscription_to_stream(group, links, resolve_links=True)
    append(client, links)
    found, following = take(client, group, links, 2)
    assert found.id == event.id
    assert found.link is not None
    assert found.ack_id == link.id
    assert following.link is None


def test_a_link_that_leads_nowhere_comes_itself(client: KurrentDBClient, stream: str, group: str):
    link = NewEvent(type="$>", data=f"7@{stream}".encode(), content_type="application/octet-stream")
    client.append_to_stream(f"links-{stream}", current_version=StreamState.ANY, events=[link])
    client.create_subscription_to_stream(group, f"links-{stream}", resolve_links=True)
    (found,) = take(client, group, f"links-{stream}", 1)
    assert (found.id, found.type) == (link.id, "$>")


@pytest.mark.parametrize("resolve_links", [True, False])
def test_a_category_s_events_come_as_links(client: KurrentDBClient, group: str, resolve_links: bool):
    category = f"kind{uuid4().hex}"
    links = f"$ce-{category}"
    events = append(client, f"{category}-1")
    client.create_subscription_to_stream(group, links, resolve_links=resolve_links)
    events += append(client, f"{category}-2", 2)
    found = take(client, group, links, 3)
    if resolve_links:
        assert sorted(ids(found)) == sorted(ids(events))
        assert {event.link.stream_name for event in found if event.link} == {links}
    else:
        assert {event.data for event in found} == {
            f"0@{category}-1".encode(),
            *(b"%d@%b-2" % (n, category.encode()) for n in range(2)),
        }
    last = str(next_position(client) - 3)
    assert eventually(lambda: places(client, group, links) == (last, last))


def test_what_a_stream_s_metadata_hides_is_not_delivered(client: KurrentDBClient, stream: str, group: str):
    append(client, stream, 3)
    client.set_stream_metadata(stream, metadata={"$tb": 2}, current_version=StreamState.ANY)
    client.create_subscription_to_stream(group, stream)
    assert [event.stream_position for event in take(client, group, stream, 1)] == [2]


@pytest.mark.parametrize(
    "names",
    [("a" * 250, "b" * 250), ("é ~ ü", "with \t tab and ☃"), ("$ce", "$all::g")],
)
def test_long_and_odd_names_work(client: KurrentDBClient, names: tuple[str, str]):
    stream, group = names
    client.create_subscription_to_stream(group, stream)
    events = append(client, stream)
    assert ids(take(client, group, stream, 1)) == ids(events)
    info = client.get_subscription_info(group, stream)
    assert (info.event_source, info.group_name) == (stream, group)


def test_what_is_not_there_is_not_found_and_what_is_exists(client: KurrentDBClient, stream: str, group: str):
    with pytest.raises(NotFoundError):
        reading(client, group, stream)
    for call in (client.get_subscription_info, client.delete_subscription, client.replay_parked_events):
        with pytest.raises(NotFoundError):
            call(group, stream)
    with pytest.raises(NotFoundError):
        client.update_subscription_to_stream(group, stream)
    for call in (client.get_subscription_info, client.delete_subscription):
        for name in ("x" * 20_000, "a\r\nb"):
            with pytest.raises(NotFoundError):
                call(group, name)
    client.create_subscription_to_stream(group, stream)
    for options in ({}, {"message_timeout": 5.0}):
        with pytest.raises(AlreadyExistsError):
            client.create_subscription_to_stream(group, stream, **options)
    client.create_subscription_to_all(group)
    client.delete_subscription(group)
    client.delete_subscription(group, stream)
    assert client.list_subscriptions_to_stream(stream) == []


def test_a_group_that_is_deleted_ends_its_consumers_and_can_be_made_anew(
    client: KurrentDBClient, stream: str, group: str
):
    append(client, stream, 2)
    client.create_subscription_to_stream(group, stream, message_timeout=5.0)
    subscription = reading(client, group, stream)
    next(subscription)
    client.delete_subscription(group, stream)
    subscription.ack(uuid4())
    with pytest.raises(CancelledError, match="dropped"):
        next(subscription)
    client.create_subscription_to_stream(group, stream, from_end=True)
    assert client.get_subscription_info(group, stream).message_timeout == 30.0
    events = append(client, stream)
    assert ids(take(client, group, stream, 1)) == ids(events)


def test_settings_come_back_and_can_be_changed(client: KurrentDBClient, stream: str, group: str):
    client.create_subscription_to_stream(
        group, stream, stream_position=2, consumer_strategy="Pinned", message_timeout=0.25, max_retry_count=3,
        min_checkpoint_count=1, max_checkpoint_count=2, checkpoint_after=1.5, max_subscriber_count=7,
        live_buffer_size=8, read_batch_size=9, history_buffer_size=11, extra_statistics=True, resolve_links=True,
    )  # fmt: skip
    info = client.get_subscription_info(group, stream)
    said = ("2", "Pinned", 0.25, 3, 1, 2, 1.5, 7, 8, 9, 11, True, True)

    def settings() -> tuple[object, ...]:
        info = client.get_subscription_info(group, stream)
        return (
            info.start_from, info.consumer_strategy, info.message_timeout, info.max_retry_count,
            info.min_checkpoint_count, info.max_checkpoint_count, info.checkpoint_after, info.max_subscriber_count,
            info.live_buffer_size, info.read_batch_size, info.history_buffer_size, info.extra_statistics,
            info.resolve_links,
        )  # fmt: skip

    assert settings() == said
    client.update_subscription_to_stream(group, stream, from_end=True, message_timeout=1.0, max_retry_count=5)
    assert settings() == ("-1", "Pinned", 1.0, 5, *said[4:])
    assert info.status in ("Live", "Behind")


@pytest.mark.parametrize("kind", ["stream", "links", "all"])
def test_another_start_passes_over_nothing_and_brings_nothing_back(
    client: KurrentDBClient, stream: str, group: str, kind: str
):
    first = next_position(client)
    events = append(client, stream, 10)
    if kind == "all":
        client.create_subscription_to_all(group, commit_position=first)
    else:
        source = stream if kind == "stream" else "$ce-order"
        start = 1 if kind == "stream" else first
        client.create_subscription_to_stream(group, source, stream_position=start, resolve_links=kind == "links")
    expected = ids(events)[kind != "all" :]
    name = None if kind == "all" else source
    found = take(client, group, name, 2)
    for another in (8 if kind == "stream" else first + 8, 0):
        if kind == "all":
            client.update_subscription_to_all(group, commit_position=another)
        else:
            client.update_subscription_to_stream(group, source, stream_position=another, resolve_links=kind == "links")
        found += take(client, group, name, 3)
    assert ids(found) == expected[:8]


def test_positions_are_told_as_clients_parse_them(client: KurrentDBClient, stream: str, group: str):
    client.create_subscription_to_stream(group, stream)
    client.create_subscription_to_all(group, from_end=True)
    assert client.get_subscription_info(group, stream).start_from == "0"
    assert places(client, group, stream) == ("", "")
    append(client, stream, 3)
    take(client, group, stream, 2)
    assert eventually(lambda: places(client, group, stream) == ("2", "1"))
    head = next_position(client) - 1
    of_all = client.get_subscription_info(group)
    assert (of_all.event_source, of_all.start_from) == ("$all", "C:-1/P:-1")
    assert of_all.last_known_event_position == f"C:{head}/P:{head}"
    client.update_subscription_to_all(group, commit_position=7)
    assert client.get_subscription_info(group).start_from == "C:7/P:7"
    assert {one.event_source for one in client.list_subscriptions() if one.group_name == group} == {"$all", stream}
    assert [one.group_name for one in client.list_subscriptions_to_stream(stream)] == [group]


def test_settings_are_no_event_of_any_stream(client: KurrentDBClient, stream: str, group: str):
    """Others would see them, and could change them."""
    position = next_position(client)
    client.create_subscription_to_stream(group, stream)
    append(client, stream)
    everything = client.read_all(commit_position=position, filter_exclude=[])
    assert [json.loads(event.data) for event in everything] == [{"number": 0}]
