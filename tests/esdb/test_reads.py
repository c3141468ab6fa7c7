"""Reads of streams and of $all through KurrentDB's client, and through its messages where the client hides them."""

import json
import time
from collections.abc import Iterator, Sequence
from uuid import UUID, uuid4

import grpc
import pytest
from kurrentdbclient import AsyncKurrentDBClient, KurrentDBClient, NewEvent, RecordedEvent, StreamState
from kurrentdbclient.exceptions import GrpcError, NotFoundError

from indelible import events
from indelible.access import is_own
from indelible.client import AsyncClient
from indelible.core.open import open_local_store
from indelible.server.compose import make_services
from indelible.server.config import Address, EsdbSettings
from indelible.server.esdb.server import serving_esdb
from indelible.server.http.app import HttpApp
from indelible.server.http.connection import serving
from indelible.server.http.routes import ROUTES
from indelible.wire.esdb.pb import shared_pb2
from indelible.wire.esdb.pb import streams_pb2 as pb
from indelible.wire.esdb.stream_names import stream_of
from serving import serving_in_a_thread

END = 2**64 - 1


def append(client: KurrentDBClient, stream: str, count: int = 1, event_type: str = "Placed") -> int:
    """Events that count on from 0 in each append; gives the position of the last."""
    events = [NewEvent(type=event_type, data=b'{"n":%d}' % n) for n in range(count)]
    position: int = client.append_to_stream(stream, current_version=StreamState.ANY, events=events)
    return position


def revisions(events: Sequence[RecordedEvent]) -> list[int]:
    return [event.stream_position for event in events]


# --- Streams ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"limit": 2}, [0, 1]),
        ({"limit": 0}, []),
        ({"stream_position": 3}, [3, 4]),
        ({"stream_position": 5}, []),
        ({"stream_position": 2**63 - 1}, []),
        ({"stream_position": END}, []),
        ({"backwards": True}, [4, 3, 2, 1, 0]),
        ({"backwards": True, "limit": 2}, [4, 3]),
        ({"backwards": True, "stream_position": 1}, [1, 0]),
        ({"backwards": True, "stream_position": 0}, [0]),
        ({"backwards": True, "stream_position": 100, "limit": 1}, [4]),
        ({"backwards": True, "stream_position": END, "limit": 1}, [4]),
    ],
)
def test_a_stream_is_read_from_where_it_is_asked_for(client: KurrentDBClient, stream: str, asked, expected: list[int]):
    append(client, stream, 5)
    assert revisions(client.get_stream(stream, **asked)) == expected


def test_an_event_is_read_as_it_was_written(client: KurrentDBClient, stream: str):
    written = NewEvent(type="Placed", data=b'{"a": 1.0}', metadata=b'{"who":"me"}', content_type="application/json")
    binary = NewEvent(type="Sent", data=b"\x00\xff", content_type="application/octet-stream")
    position = client.append_to_stream(stream, current_version=StreamState.ANY, events=[written, binary])
    first, second = client.get_stream(stream)
    assert (first.id, first.type, first.data, first.metadata, first.content_type) == (
        written.id, "Placed", written.data, written.metadata, "application/json",
    )  # fmt: skip
    assert (second.id, second.data, second.content_type) == (binary.id, binary.data, binary.content_type)
    assert (first.stream_name, first.commit_position, second.commit_position) == (stream, position - 1, position)
    assert abs(first.recorded_at.timestamp() - time.time()) < 60


def test_what_was_never_there_is_not_found(client: KurrentDBClient, stream: str):
    for missing in (stream, f"$$x{stream}", "$all", "$ce-no-such", "$et-NoSuch", "$ce-", "$et-" + "x" * 252):
        with pytest.raises(NotFoundError):
            client.get_stream(missing)
        with pytest.raises(NotFoundError):
            client.get_stream(missing, backwards=True, stream_position=3)


def test_a_stream_of_many_pages_is_read_whole(client: KurrentDBClient, stream: str):
    append(client, stream, 700)
    assert revisions(client.get_stream(stream)) == list(range(700))
    assert revisions(client.get_stream(stream, backwards=True, limit=300)) == list(range(699, 399, -1))


def test_large_events_and_small_ones_come_in_their_order(client: KurrentDBClient, stream: str):
    sizes = [10, 300_000, 10, 10, 20_000, 20_000, 500_000, 500_000, 10]
    events = [NewEvent(type="Sized", data=b'"%b"' % (b"x" * size)) for size in sizes]
    for event in events:
        client.append_to_stream(stream, current_version=StreamState.ANY, events=event)
    assert [event.id for event in client.get_stream(stream)] == [event.id for event in events]
    backwards = client.get_stream(stream, backwards=True)
    assert [len(event.data) - 2 for event in backwards] == sizes[::-1]


# --- What metadata hides ---------------------------------------------------------------------------------------------


def hide(client: KurrentDBClient, stream: str, metadata: dict[str, int]) -> None:
    client.set_stream_metadata(stream, metadata=metadata, current_version=StreamState.ANY)


@pytest.mark.parametrize(
    ("metadata", "first"), [({"$tb": 3}, 3), ({"$maxCount": 2}, 3), ({"$tb": 1, "$maxCount": 2}, 3)]
)
def test_metadata_hides_the_beginning(client: KurrentDBClient, stream: str, metadata: dict[str, int], first: int):
    append(client, stream, 5)
    hide(client, stream, metadata)
    assert revisions(client.get_stream(stream)) == [3, 4]
    assert revisions(client.get_stream(stream, stream_position=1, limit=1)) == [3]
    assert revisions(client.get_stream(stream, backwards=True)) == [4, 3]
    assert revisions(client.get_stream(stream, backwards=True, stream_position=1)) == []
    assert len(list(client.read_all(filter_include=[stream], filter_by_stream_name=True))) == 5


def test_a_stream_whose_events_are_all_too_old_is_empty(client: KurrentDBClient, stream: str):
    append(client, stream, 5)
    hide(client, stream, {"$maxAge": 4})
    time.sleep(4.1)
    assert revisions(client.get_stream(stream)) == []
    append(client, stream, 2)
    assert revisions(client.get_stream(stream)) == [5, 6]
    assert revisions(client.get_stream(stream, backwards=True)) == [6, 5]


def test_a_deleted_stream_is_not_found_until_it_is_written_to(client: KurrentDBClient, stream: str):
    append(client, stream, 3)
    client.delete_stream(stream, current_version=StreamState.ANY)
    for backwards in (False, True):
        with pytest.raises(NotFoundError):
            client.get_stream(stream, backwards=backwards)
    append(client, stream, 1)
    assert revisions(client.get_stream(stream)) == [3]
    assert client.get_stream_metadata(stream)[0]["$tb"] == 3


def test_a_stream_whose_beginning_is_hidden_whole_is_empty_and_not_missing(client: KurrentDBClient, stream: str):
    append(client, stream, 3)
    hide(client, stream, {"$tb": 10})
    assert revisions(client.get_stream(stream)) == []


def test_metadata_is_a_stream_as_others_are(client: KurrentDBClient, stream: str):
    hide(client, stream, {"$maxCount": 2})
    hide(client, stream, {"$maxCount": 3})
    events = client.get_stream(f"$${stream}")
    assert [(event.type, json.loads(event.data)) for event in events] == [
        ("$metadata", {"$maxCount": 2}), ("$metadata", {"$maxCount": 3}),
    ]  # fmt: skip


# --- $all ------------------------------------------------------------------------------------------------------------


def test_all_is_read_from_a_position_with_it_forwards_and_without_it_backwards(client: KurrentDBClient, stream: str):
    last = append(client, stream, 5)
    assert client.get_commit_position() == last

    def positions(**asked: object) -> list[int]:
        return [event.commit_position for event in client.read_all(**asked)]

    assert positions(commit_position=last - 2) == [last - 2, last - 1, last]
    assert positions(commit_position=last - 2, limit=2) == [last - 2, last - 1]
    assert positions(commit_position=last - 2, backwards=True, limit=2) == [last - 3, last - 4]
    assert positions(commit_position=last + 1) == positions(commit_position=END) == []
    assert positions(commit_position=0, backwards=True) == positions(commit_position=1, backwards=True) == []
    assert positions(commit_position=0, limit=1) == positions(limit=1)
    for past in (last + 1, last + 1000, END):
        assert positions(commit_position=past, backwards=True, limit=2) == [last, last - 1]


def test_all_is_read_to_the_end_in_pages(stream: str):
    """On a server of its own: no position of it is the store's own event."""
    with serving_in_a_thread(open_local_store("memory:"), "esdb") as url:
        client = KurrentDBClient(url)
        last = append(client, stream, 600)
        for way in (False, True):
            found = client.read_all(filter_exclude=(), backwards=way)
            assert [event.commit_position for event in found] == sorted(range(1, last + 1), reverse=way)
        client.close()


def test_all_is_filtered_by_names_and_by_patterns(client: KurrentDBClient, stream: str):
    start = append(client, stream, 3, "Placed") - 2
    append(client, stream, 2, "PlacedAgain")
    append(client, f"x{stream}", 1, "Placed")
    hide(client, stream, {"$maxCount": 100})

    def found(**asked: object) -> list[tuple[str, str]]:
        return [(event.type, event.stream_name) for event in client.read_all(commit_position=start, **asked)]

    placed, again, other = ("Placed", stream), ("PlacedAgain", stream), ("Placed", f"x{stream}")
    system = ("$metadata", f"$${stream}")
    assert found() == [placed] * 3 + [again] * 2 + [other]
    assert found(filter_exclude=()) == [placed] * 3 + [again] * 2 + [other, system]
    assert found(filter_include=["Placed"]) == [placed] * 3 + [other]
    assert found(filter_include=["Placed"], limit=2) == [placed] * 2
    assert found(filter_include=["P.*", "Other"]) == found()
    assert found(filter_include=["PlacedA", "$"], filter_by_prefix=True) == [again] * 2 + [system]
    assert found(filter_include=[stream], filter_by_stream_name=True) == [placed] * 3 + [again] * 2
    assert found(filter_include=["xorder-"], filter_by_stream_name=True, filter_by_prefix=True) == [other]
    assert found(filter_exclude=["order-.*"], filter_by_stream_name=True) == [other, system]
    backwards = client.read_all(backwards=True, filter_include=["PlacedAgain"], limit=3)
    assert [event.stream_position for event in backwards][:2] == [4, 3]


def test_a_rare_event_is_found_behind_many(client: KurrentDBClient, stream: str):
    rare = f"Rare{uuid4().hex}"
    start = append(client, stream, 1, rare)
    append(client, stream, 400)
    last = append(client, stream, 1, rare)
    for include in ([rare], [rare[:-1] + "."]):
        found = client.read_all(commit_position=start, filter_include=include)
        assert [event.commit_position for event in found] == [start, last]
        found = client.read_all(backwards=True, filter_include=include)
        assert [event.commit_position for event in found] == [last, start]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("(a", "is no regular expression"), ("(?R)", "not supported"), ("x*" * 1100, "at most 2000 characters")],
)
def test_a_bad_pattern_is_an_invalid_argument_that_names_it(client: KurrentDBClient, pattern: str, text: str):
    with pytest.raises(GrpcError) as refused:
        list(client.read_all(filter_include=[pattern]))
    assert "StatusCode.INVALID_ARGUMENT" in str(refused.value)
    assert "/filter/event_type/regex" in str(refused.value)
    assert text in str(refused.value)


def test_a_pattern_that_takes_too_long_ends_the_read_and_nothing_else(client: KurrentDBClient, stream: str):
    start = append(client, stream, 1, "a" * 200 + "!")
    with pytest.raises(GrpcError, match="takes too long to match"):
        list(client.read_all(commit_position=start, filter_include=["(a|aa)+"]))
    assert len(client.get_stream(stream)) == 1


# --- Links -----------------------------------------------------------------------------------------------------------


def test_a_category_has_links_to_the_events_of_its_streams(client: KurrentDBClient):
    category = f"c{uuid4().hex}"
    first = append(client, f"{category}-1", 2)
    append(client, f"{category}x-1")
    append(client, category)
    last = append(client, f"{category}-2-3")
    links = client.get_stream(f"$ce-{category}")
    assert [(link.type, link.data, link.commit_position) for link in links] == [
        ("$>", f"0@{category}-1".encode(), first - 1),
        ("$>", f"1@{category}-1".encode(), first),
        ("$>", f"0@{category}-2-3".encode(), last),
    ]
    assert revisions(links) == [first - 2, first - 1, last - 1]
    assert {link.stream_name for link in links} == {f"$ce-{category}"}
    assert [link.id for link in client.get_stream(f"$ce-{category}", backwards=True)][::-1] == [
        link.id for link in links
    ]
    assert len({link.id for link in links}) == 3


def test_a_stream_of_links_is_read_from_a_revision(client: KurrentDBClient):
    event_type = f"T{uuid4().hex}"
    last = append(client, "order-1", 5, event_type)
    name = f"$et-{event_type}"
    assert revisions(client.get_stream(name, stream_position=last - 2)) == [last - 2, last - 1]
    assert revisions(client.get_stream(name, stream_position=last - 2, backwards=True, limit=2)) == [last - 2, last - 3]
    assert revisions(client.get_stream(name, stream_position=END, backwards=True, limit=1)) == [last - 1]
    assert revisions(client.get_stream(name, stream_position=last)) == []
    assert client.get_current_version(name) == last - 1


def test_links_resolve_to_the_event_with_the_link_beside_it(client: KurrentDBClient):
    event_type = f"T{uuid4().hex}"
    append(client, "order-1", 2, event_type)
    links = client.get_stream(f"$et-{event_type}")
    events = client.get_stream(f"$et-{event_type}", resolve_links=True)
    assert [json.loads(event.data)["n"] for event in events] == [0, 1]
    assert [event.link.id for event in events] == [link.id for link in links]
    assert [event.link.stream_position for event in events] == revisions(links)
    assert {event.stream_name for event in events} == {"order-1"}


def link_to(client: KurrentDBClient, stream: str, *targets: str) -> None:
    links = [NewEvent(type="$>", data=target.encode(), content_type="text/plain") for target in targets]
    client.append_to_stream(stream, current_version=StreamState.ANY, events=links)


def test_links_that_clients_have_written_resolve(client: KurrentDBClient, stream: str):
    append(client, stream, 2)
    link_to(client, f"links-{stream}", f"1@{stream}", f"0@{stream}")
    assert [event.type for event in client.get_stream(f"links-{stream}")] == ["$>", "$>"]
    events = client.get_stream(f"links-{stream}", resolve_links=True)
    assert [(event.stream_name, event.stream_position) for event in events] == [(stream, 1), (stream, 0)]
    assert [(event.link.stream_name, event.link.stream_position) for event in events] == [
        (f"links-{stream}", 0), (f"links-{stream}", 1),
    ]  # fmt: skip
    found = client.read_all(backwards=True, limit=2, filter_exclude=(), resolve_links=True)
    assert [event.stream_position for event in found] == [0, 1]


def test_a_link_whose_event_is_gone_comes_alone(client: KurrentDBClient, read, stream: str):
    append(client, stream, 2)
    hide(client, stream, {"$tb": 1})
    targets = [
        f"1@{stream}",
        f"0@{stream}",
        f"9@{stream}",
        "0@no-such",
        "nothing",
        f"x@{stream}",
        "0@",
        "-1@a-1",
        "0@$schemas-1",
    ]
    link_to(client, f"links-{stream}", *targets)
    events = [message.event for message in read(f"links-{stream}", resolve_links=True) if message.HasField("event")]
    assert [event.HasField("event") for event in events] == [True] + [False] * 8
    assert [event.link.stream_revision for event in events] == list(range(9))
    assert all(event.commit_position == event.link.commit_position for event in events)


# --- Messages --------------------------------------------------------------------------------------------------------


@pytest.fixture
def send(esdb_url: str) -> Iterator:
    address = esdb_url.removeprefix("esdb://").partition("?")[0]
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_stream(
            "/event_store.client.streams.Streams/Read",
            request_serializer=pb.ReadReq.SerializeToString,
            response_deserializer=pb.ReadResp.FromString,
        )
        yield lambda options: list(call(pb.ReadReq(options=options), timeout=20))


@pytest.fixture
def read(send):
    def read(stream: str | None, **asked: object) -> list[pb.ReadResp]:
        options = {"count": 100, "control_option": pb.ReadReq.ControlOption(compatibility=1), **asked}
        start = options.pop("revision", None)
        message = pb.ReadReq.Options(**options)
        if stream is None:
            message.all.start.SetInParent()
        else:
            message.stream.stream_identifier.stream_name = stream.encode()
            if start is None:
                message.stream.start.SetInParent()
            else:
                message.stream.revision = start
        return send(message)

    return read


def kinds(messages: Sequence[pb.ReadResp]) -> list[str]:
    return [message.WhichOneof("content") for message in messages]


def test_newer_clients_hear_where_a_stream_ends(client: KurrentDBClient, read, stream: str):
    append(client, stream, 3)
    messages = read(stream)
    assert kinds(messages) == ["event"] * 3 + ["last_stream_position"]
    assert messages[-1].last_stream_position == 2
    assert kinds(read(stream, control_option=None)) == ["event"] * 3
    assert [message.last_stream_position for message in read(stream, count=1)[1:]] == [2]
    assert kinds(read(stream, revision=7)) == ["last_stream_position"]


def test_newer_clients_hear_where_a_stream_begins_that_was_cut_off(client: KurrentDBClient, read, stream: str):
    append(client, stream, 3)
    hide(client, stream, {"$tb": 2})
    messages = read(stream)
    assert kinds(messages) == ["first_stream_position", "event", "last_stream_position"]
    assert messages[0].first_stream_position == 2
    assert kinds(read(stream, revision=2)) == ["event", "last_stream_position"]


def test_newer_clients_hear_where_all_ends(client: KurrentDBClient, read, stream: str):
    last = append(client, stream)
    message = read(None, count=1)[-1]
    assert message.last_all_stream_position.commit_position == message.last_all_stream_position.prepare_position == last


def test_ids_come_in_the_form_that_is_asked_for(client: KurrentDBClient, read, stream: str):
    event = NewEvent(type="Placed", data=b"{}", id=UUID("fedcba98-7654-4321-8fed-cba987654321"))
    client.append_to_stream(stream, current_version=StreamState.ANY, events=event)
    assert read(stream)[0].event.event.id.string == str(event.id)
    found = read(stream, uuid_option=shared_pb2.UUIDOption(structured=shared_pb2.Empty()))[0].event.event.id.structured
    halves = (found.most_significant_bits % 2**64, found.least_significant_bits % 2**64)
    assert UUID(int=halves[0] << 64 | halves[1]) == event.id


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        (pb.ReadReq.Options(count=1), "/options/stream_option"),
        (pb.ReadReq.Options(all=pb.ReadReq.AllOptions(start=shared_pb2.Empty())), "/options/count_option"),
        (pb.ReadReq.Options(count=1, all=pb.ReadReq.AllOptions()), "/options/all_option"),
        (pb.ReadReq.Options(count=1, stream=pb.ReadReq.StreamOptions(start=shared_pb2.Empty())), "/stream_name"),
        (
            pb.ReadReq.Options(
                count=1,
                stream=pb.ReadReq.StreamOptions(
                    stream_identifier=shared_pb2.StreamIdentifier(stream_name=b"a-1"), start=shared_pb2.Empty()
                ),
                filter=shared_pb2.FilterOptions(),
            ),
            "/options/filter",
        ),
    ],
)
def test_what_no_read_can_be_is_refused_by_name(send, options: pb.ReadReq.Options, pointer: str):
    with pytest.raises(grpc.RpcError) as refused:
        send(options)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details().startswith(f"{pointer}: ")


# --- Beside the other API --------------------------------------------------------------------------------------------


async def test_rest_and_this_wire_show_the_same_events_alike():
    any_port = Address("127.0.0.1", 0)
    async with open_local_store("memory:") as store:
        services = make_services(store)
        await store.schemas.register("Placed", {"type": "object"})
        async with (
            serving(HttpApp(services, ROUTES), any_port, shutdown_grace_s=5) as url,
            serving_esdb(services, EsdbSettings(any_port), shutdown_grace_s=5) as address,
            AsyncClient(url) as rest,
        ):
            theirs = AsyncKurrentDBClient(f"esdb://{address}?tls=false")
            await rest.append("order", "1", events.NewEvent("Placed", {"a": 1.0, "b": 2**60}, metadata={"who": "me"}))
            await rest.append("order", "1-2", events.NewEvent("Sent", b"\x00\xff", content_type="image/png"))
            both = [
                NewEvent(type="Placed", data=b'{"b": 1,"a":2}', metadata=b'{"x": 1}'),
                NewEvent(type="Sent", data=b"{}"),
            ]
            await theirs.append_to_stream("order-1", current_version=0, events=both)
            await theirs.append_to_stream(
                "alone", current_version=StreamState.NO_STREAM, events=NewEvent(type="Sent", data=b"{")
            )
            seen_by_rest = [event for event in (await rest.read_feed()).events if not is_own(event.aggregate_type)]
            seen = [event async for event in await theirs.read_all(filter_exclude=())]
            of_one = await theirs.get_stream("order-1")
            with pytest.raises(NotFoundError):
                await theirs.get_stream("$schemas-Placed")
            await theirs.close()
            services.stopping.set()
    assert len(seen) == 5
    assert list(of_one) == [event for event in seen if event.stream_name == "order-1"]
    assert [alike_of(event) for event in seen_by_rest] == [alike_of_theirs(event) for event in seen]
    assert [seen_by_rest[0].event_data, json.loads(seen[0].data)] == [{"a": 1.0, "b": 2**60}] * 2
    assert [seen_by_rest[0].metadata, json.loads(seen[0].metadata)] == [{"who": "me"}] * 2
    assert [json.loads(seen[2].data), json.loads(seen[2].metadata)] == [seen_by_rest[2].event_data, {"x": 1}]
    assert seen_by_rest[1].event_data == seen[1].data == b"\x00\xff"


def alike_of(event: events.RecordedEvent) -> tuple[object, ...]:
    stream = stream_of(event.aggregate_type, event.aggregate_id)
    return event.event_id, event.event_type, stream, event.version - 1, event.position, event.timestamp.timestamp()


def alike_of_theirs(event: RecordedEvent) -> tuple[object, ...]:
    seconds = pytest.approx(event.recorded_at.timestamp(), abs=0.000_01)
    return event.id, event.type, event.stream_name, event.stream_position, event.commit_position, seconds
