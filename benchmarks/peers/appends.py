"""Appends to a server, against UmaDB: wrk and h2load put the load on. h2load has one body for all requests: what UmaDB
gets, and what we get over gRPC, is for one aggregate; over HTTP ours is for thousands."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Final

from benchmarks import appends, stores, wrk
from benchmarks.peers import umadb
from benchmarks.peers.comparison import Row, Sample, Sides
from benchmarks.peers.h2load import GRPC, GRPC_CONNECTIONS, Done, grpc_frame, h2load
from benchmarks.peers.umadb import UmaDB
from benchmarks.server import Server
from benchmarks.stores import Options
from indelible import Client, NewEvent
from indelible.wire.pb import event_store_pb2 as pb
from indelible.wire.pb import events_pb2

SINGLE_STREAMS: Final = appends.SINGLE_CONNECTIONS // GRPC_CONNECTIONS
BATCH_STREAMS: Final = appends.BATCH_CONNECTIONS // GRPC_CONNECTIONS
EVENT_TYPE: Final = "OrderLineAdded"

OneLoad = Callable[[Server, Options], wrk.Load]


def rows() -> Iterator[tuple[str, Row]]:
    single, batch = _uma_events(1), _uma_events(appends.BATCH_EVENTS)
    yield "single", Row("single-event appends over HTTP / UmaDB", "events/s", 0.55, partial(
        _over_http, load=singles, events=1, their_message=umadb.append_request(single), streams=SINGLE_STREAMS,
    ), p99_ms_goal=25)  # fmt: skip
    yield "batch", Row("100-event appends over HTTP / UmaDB", "events/s", 0.35, partial(
        _over_http, load=appends.batch_load, events=appends.BATCH_EVENTS,
        their_message=umadb.append_request(batch), streams=BATCH_STREAMS,
    ))  # fmt: skip
    yield "condition", Row("single-event appends with a condition / UmaDB", "events/s", 0.4, _conditional)
    yield "grpc", Row("single-event appends over gRPC / UmaDB", "events/s", 0.35, _over_grpc)


def singles(server: Server, options: Options) -> wrk.Load:
    return appends.append_load(server, options, appends.body_of(1))


def _uma_events(count: int) -> list[bytes]:
    """Each of an aggregate of its own, which UmaDB knows by a tag."""
    made = json.loads(appends.body_of(count))["events"]
    return [
        umadb.event(EVENT_TYPE, json.dumps(one["event_data"], separators=(",", ":")).encode(), [f"order-{number}"])
        for number, one in enumerate(made)
    ]


# --- Both sides, on new stores for each round ------------------------------------------------------------------------


@contextmanager
def _over_http(options: Options, load: OneLoad, events: int, their_message: bytes, streams: int) -> Iterator[Sides]:
    def ours() -> Sample:
        with Server(stores.empty(options, "ours")) as server:
            return http_sample(server, options, load, events)

    yield Sides(ours, partial(_theirs, options, their_message, events, streams))


@contextmanager
def _over_grpc(options: Options) -> Iterator[Sides]:
    data = appends.some_event_json().encode()
    message = pb.AggregateAppend(
        aggregate_type="order", aggregate_id="1", events=[events_pb2.NewEvent(event_type=EVENT_TYPE, event_data=data)]
    ).SerializeToString()

    def ours() -> Sample:
        with Server(stores.empty(options, "ours"), "--grpc", "127.0.0.1:0") as server:
            url = server.grpc_url.replace("grpc://", "http://") + "/indelible.v1.EventStore/Append"
            return grpc_sample(server, url, options, message=message, events=1, streams=SINGLE_STREAMS)

    yield Sides(ours, partial(_theirs, options, umadb.append_request(_uma_events(1)), 1, SINGLE_STREAMS))


def _theirs(options: Options, message: bytes, events: int, streams: int) -> Sample:
    path = options.folder / "umadb.db"
    path.unlink(missing_ok=True)
    with UmaDB(path) as server:
        return grpc_sample(server, server.url("Append"), options, message=message, events=events, streams=streams)


# --- With a condition ------------------------------------------------------------------------------------------------

GUARDED: Final = "seat:1"
"""The tag that no event after the cursor may have. The first event has it."""
TAKEN: Final = "seat:2"
"""The tag that all others have."""


@contextmanager
def _conditional(options: Options) -> Iterator[Sides]:
    """Each append is refused if an event after the first has the first one's tag: none has."""
    data = appends.some_event_data()
    text = appends.some_event_json().encode()

    def ours() -> Sample:
        with Server(stores.empty(options, "ours")) as server:
            with Client(server.url) as client:
                client.append("order", "1", [NewEvent(EVENT_TYPE, data, tags=[GUARDED])])
                cursor = str(client.head().cursor)
            _check_refused(server, _conditional_body(data, "0"))
            body = _conditional_body(data, cursor)
            return http_sample(server, options, partial(_conditional_load, body=body), 1)

    def theirs() -> Sample:
        path = options.folder / "umadb.db"
        path.unlink(missing_ok=True)
        made, guarded = [umadb.event(EVENT_TYPE, text, ["order-2", TAKEN])], umadb.query(tags=[GUARDED])
        with UmaDB(path) as server:
            server.append(umadb.append_request([umadb.event(EVENT_TYPE, text, ["order-1", GUARDED])]))
            if not server.refuses(umadb.append_request(made, fail_if=guarded, after=0)):
                raise RuntimeError("UmaDB does not look at the condition")
            message = umadb.append_request(made, fail_if=guarded, after=server.head())
            return grpc_sample(server, server.url("Append"), options, message=message, events=1, streams=SINGLE_STREAMS)

    yield Sides(ours, theirs)


def _conditional_body(data: dict[str, object], cursor: str) -> bytes:
    event = {"event_type": EVENT_TYPE, "event_data": data, "tags": [TAKEN]}
    append = {"aggregate_type": "order", "aggregate_id": "bench-PATH_NUMBER", "events": [event]}
    condition = {"fail_if": [{"tags": [GUARDED]}], "after": cursor}
    return json.dumps({"appends": [append], "condition": condition}, separators=(",", ":")).encode()


def _conditional_load(server: Server, options: Options, body: bytes) -> wrk.Load:
    paths = ["/v1/append"] * appends.AGGREGATES
    return wrk.load(server, options, "POST", paths, connections=appends.SINGLE_CONNECTIONS, body=body)


def _check_refused(server: Server, body: bytes) -> None:
    status = server.post("/v1/append", body)
    if status != HTTPStatus.CONFLICT:
        raise RuntimeError(f"an append whose condition fails gave {status}")


# --- One load, counted -----------------------------------------------------------------------------------------------


def http_sample(server: Server, options: Options, put_load: OneLoad, events: int) -> Sample:
    """What wrk measured, once the store is seen to hold it."""
    _warm_up(options, lambda short: put_load(server, short))
    held = server.head()
    done = put_load(server, options._replace(warm_up_s=0))
    acknowledged = done.requests - done.errors
    check_stored(server.head() - held, acknowledged * events, appends.SINGLE_CONNECTIONS * events)
    count = acknowledged * events
    return Sample(count / done.duration_s, 1e6 * done.server_cpu * done.duration_s / count, done.p99_ms, done.errors)


def grpc_sample(
    server: Server | UmaDB, url: str, options: Options, *, message: bytes, events: int, streams: int
) -> Sample:
    """What h2load measured, once the store is seen to hold it."""

    def put_load(given: Options) -> Done:
        return h2load(
            server, url, clients=GRPC_CONNECTIONS, streams=streams, duration_s=given.duration_s,
            body=grpc_frame(message), headers=GRPC,
        )  # fmt: skip

    _warm_up(options, put_load)
    held = server.head()
    done = put_load(options)
    count = done.succeeded * events
    check_stored(server.head() - held, count, GRPC_CONNECTIONS * streams * events)
    return Sample(count / done.duration_s, 1e6 * done.cpu_s / count, done.p99_ms, done.errors)


def _warm_up(options: Options, put_load: Callable[[Options], object]) -> None:
    if options.warm_up_s:
        put_load(options._replace(duration_s=options.warm_up_s, warm_up_s=0))


def check_stored(stored: int, acknowledged: int, under_way: int) -> None:
    """When a load stops, some requests are on their way: they are stored, or not. So it was with the warm-up."""
    if not acknowledged <= stored <= acknowledged + 2 * under_way:
        raise RuntimeError(f"{acknowledged:,} events were acknowledged, and {stored:,} are stored")
