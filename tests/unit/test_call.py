"""What handlers hear of their caller, over both transports."""

import asyncio

import aiohttp
import grpc
import pytest

from indelible.access import EVERYBODY
from indelible.core.open import open_local_store
from indelible.operations import Nothing, Operation
from indelible.server.call import Call, TraceContext, trace_context
from indelible.server.compose import http_app, make_services
from indelible.server.config import Address
from indelible.server.grpc.calls import Unary
from indelible.server.grpc.server import serving_grpc
from indelible.server.http.app import HttpApp, Route
from indelible.server.http.connection import serving
from indelible.server.http.messages import Request, Response
from indelible.wire.pb.event_store_pb2 import GetHeadRequest, GetHeadResponse
from over_grpc.calls import Api, connected

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
STATE = "vendor=00f067aa0ba902b7"
ANYWHERE = Address("127.0.0.1", 0)


@pytest.mark.parametrize(
    ("parent", "state", "found"),
    [
        (PARENT, STATE, TraceContext(PARENT, STATE)),
        (PARENT.encode(), STATE.encode(), TraceContext(PARENT, STATE)),
        (PARENT, None, TraceContext(PARENT)),
        (f"{PARENT}-of-a-later-version", None, TraceContext(f"{PARENT}-of-a-later-version")),
        (None, STATE, None),
        ("", None, None),
        (PARENT.upper(), None, None),
        (b"\xff" * 55, b"\xff", None),
    ],
)
def test_trace_contexts(parent: bytes | str | None, state: bytes | str | None, found: TraceContext | None):
    assert trace_context(parent, state) == found


async def test_a_call_over_http():
    calls: list[Call] = []

    async def handle(call: Call, request: Request) -> Response:
        request.query(row)
        calls.append(call)
        return Response(200, b"{}")

    row = Operation[Nothing, None](
        name="hear", section="Operations", summary="Hear", description="Of its caller.",
        parameters=Nothing, answer=None, answers="Nothing.", http="GET /hear", retry="read", permission=None,
    )  # fmt: skip
    async with open_local_store("memory:") as store:
        services = make_services(store)
        app = HttpApp(services, [Route(row, handle)])
        async with serving(app, ANYWHERE, shutdown_grace_s=1) as url, aiohttp.ClientSession() as session:
            for headers in ({"Traceparent": PARENT, "Tracestate": STATE}, {}):
                async with session.get(f"{url}/hear", headers=headers) as answer:
                    assert answer.status == 200
    first, second = calls
    assert (first.store, first.principal, first.deadline) == (services.store, EVERYBODY, None)
    assert (first.trace, second.trace) == (TraceContext(PARENT, STATE), None)


async def test_a_call_over_grpc(monkeypatch: pytest.MonkeyPatch):
    calls: list[Call] = []

    async def handle(call: Call, request: GetHeadRequest) -> bytes:
        assert isinstance(request, GetHeadRequest)
        calls.append(call)
        return GetHeadResponse().SerializeToString()

    methods = {"indelible.v1.EventStore": (Unary("GetHead", GetHeadRequest, handle),)}
    monkeypatch.setattr("indelible.server.grpc.server.SERVICES", methods)
    now = asyncio.get_running_loop().time()
    async with open_local_store("memory:") as store:
        services = make_services(store)
        async with serving_grpc(services, ANYWHERE, shutdown_grace_s=1) as address, connected(address) as channel:
            metadata = grpc.aio.Metadata(("traceparent", PARENT), ("tracestate", STATE))
            await Api(channel).GetHead(GetHeadRequest(), metadata=metadata, timeout=1_000)
            await Api(channel).GetHead(GetHeadRequest())
            services.stopping.set()
    first, second = calls
    assert (first.store, first.principal) == (services.store, EVERYBODY)
    assert (first.trace, second.trace) == (TraceContext(PARENT, STATE), None)
    assert first.deadline is not None
    assert 500 < first.deadline - now < 1_500
    assert second.deadline is None


async def test_a_trace_enters_no_event():
    headers = {"Traceparent": PARENT, "Tracestate": STATE}
    body = {"events": [{"event_type": "Happened", "event_data": None}]}
    async with open_local_store("memory:") as store, aiohttp.ClientSession() as session:
        async with (
            serving(http_app(store), ANYWHERE, shutdown_grace_s=1) as url,
            session.post(f"{url}/v1/aggregates/a/1/events", json=body, headers=headers) as answer,
        ):
            assert answer.status == 201
        [event] = (await store.read_feed()).events
    assert event.metadata == {}
