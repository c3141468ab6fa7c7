"""Every route of REST API version 1: the rows of the table of operations, and what only a server has. Operations
without a handler of their own are asked as their row says."""

import asyncio
from functools import partial
from typing import Annotated, Any, Final, Literal

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics import exposition as openmetrics

from indelible import words
from indelible.events import Snapshot, timestamp_to_us
from indelible.operations import OPERATIONS, Nothing, Operation, Parameters
from indelible.operations.deliveries import PULL
from indelible.operations.events import SUBSCRIBE
from indelible.operations.search import SEARCH
from indelible.server.background import PartState
from indelible.server.call import Call
from indelible.server.http import events
from indelible.server.http.app import Handler, Route
from indelible.server.http.messages import Headers, Request, Response, etag
from indelible.server.http.overview import overview_route
from indelible.server.http.reference import reference_routes
from indelible.server.services import give_back, pull_until, unless_stopping
from indelible.wire.operation_json import encode_answer

# --- Operations that are one question and one answer -----------------------------------------------------------------


async def ask(operation: Operation[Parameters, Any], call: Call, request: Request) -> Response:
    """Read from the request, asked of the store, answered."""
    result = await call.ask(operation, await request.asked_with(operation))
    body = encode_answer(operation, result)
    if operation.answer is None:
        return Response(204, body)
    status = 201 if getattr(result, "is_new", False) else 200
    return Response(status, body, headers=_headers(operation, request, result))


def _headers(operation: Operation[Any, Any], request: Request, result: Any) -> Headers:
    """``ETag`` for what has a version of its own, ``Link`` to the page behind a page."""
    if isinstance(result, Snapshot):
        # Version and time: it may be replaced by another of the same version.
        return ((b"etag", b'"%d-%d"' % (result.version, timestamp_to_us(result.timestamp))),)
    if "ETag" in operation.answer_headers:
        return etag(result.version)
    if "Link" in operation.answer_headers and not result.at_end:
        return request.next_page(operation, request.raw_path.decode("ascii"), "after", result.cursor)
    return ()


async def pull(call: Call, request: Request) -> Response:
    """Events for a member, waited for if need be."""
    asked = await request.asked_with(PULL)
    groups = call.store.groups
    leaving = asyncio.create_task(request.until_disconnected())
    pulling = PULL.ask(call.store, asked)
    deliveries = await pull_until(groups, asked.group, pulling, leaving, *call.ends())
    if not leaving.cancelled():
        await give_back(groups, asked.group, [one.delivery_id for one in deliveries], untried=True)
        deliveries = ()
    return Response(200, encode_answer(PULL, deliveries))


async def search(call: Call, request: Request) -> Response:
    """What is found, waited for if need be."""
    asked = await request.asked_with(SEARCH)
    found = await unless_stopping(call.stopping, SEARCH.ask(call.store, asked))
    return Response(200, encode_answer(SEARCH, found))


# --- The server itself -----------------------------------------------------------------------------------------------


class HealthBody(msgspec.Struct):
    """All is well."""

    status: Annotated[Literal["ok"], words.meta("Anything else is an error.", example="ok")] = "ok"


class ReadinessBody(msgspec.Struct):
    """The server is ready."""

    status: Annotated[Literal["ok"], words.meta("Anything else is an error.", example="ok")] = "ok"
    parts: (
        Annotated[
            list[PartState],
            words.meta(
                "What it is made of. Only when asked for by verbose.",
                example=msgspec.to_builtins([PartState("store appends", "running", is_vital=True)]),
            ),
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET


class CheckReady(Parameters, frozen=True):
    """How much to tell."""

    verbose: Annotated[bool, words.meta("Tell of each part. May stand without a value.")] = False


_OPENMETRICS: Final = b"application/openmetrics-text"
_OK: Final = msgspec.json.encode(HealthBody())
LIVEZ: Final = Operation[Nothing, HealthBody](
    name="livez", section="Operations", summary="Is the process alive?",
    description="200 while the process answers. For liveness probes.",
    parameters=Nothing, answer=HealthBody, answers="It is.",
    http="GET /livez",
    retry="read", permission=None, is_open=True,
)  # fmt: skip
READYZ: Final = Operation[CheckReady, ReadinessBody](
    name="readyz", section="Operations", summary="Is the server ready?",
    description="200 while the store is within reach and takes appends, and every other vital part is ready, else 503. "
    "For readiness probes and load balancers. With `verbose` both answers tell of each part: the store, and what runs "
    "beside the requests. That is for those who may get the metrics.",
    parameters=CheckReady, answer=ReadinessBody, answers="It is.",
    http="GET /readyz",
    retry="read", permission=None, errors=("forbidden", "shutting_down", "unavailable"),
)  # fmt: skip
_OF_METRICS: Final = "read"
METRICS: Final = Operation[Nothing, str](
    name="metrics", section="Operations", summary="Get metrics",
    description="In Prometheus' text format; in that of OpenMetrics, which has exemplars too, where it is asked for. "
    "Of several workers the one that is asked answers for all; the label worker tells them apart.",
    parameters=Nothing, answer=str, answers="All metrics.",
    http="GET /metrics", media_type="text/plain",
    retry="read", permission=_OF_METRICS,
)  # fmt: skip


async def livez(call: Call, request: Request) -> Response:  # noqa: ARG001 - answering is all that is asked
    """The process answers."""
    return Response(200, _OK)


async def readyz(call: Call, request: Request) -> Response:
    """The store is within reach and takes appends."""
    asked = await request.asked_with(READYZ)
    if asked.verbose:
        call.check_all("admin")
    parts = await call.check_ready(verbose=asked.verbose)
    return Response(200, msgspec.json.encode(ReadinessBody(parts=parts)) if asked.verbose else _OK)


async def metrics(call: Call, request: Request) -> Response:
    call.check_all(_OF_METRICS)
    if _OPENMETRICS in request.headers.get(b"accept", b"").lower():
        return Response(200, await call.metrics_text(is_openmetrics=True), openmetrics.CONTENT_TYPE_LATEST)
    return Response(200, await call.metrics_text(), CONTENT_TYPE_LATEST)


# --- All of them -----------------------------------------------------------------------------------------------------

_OWN_HANDLERS: Final[dict[str, Handler]] = {
    "append": events.append,
    "append_atomic": events.append_atomic,
    "append_batch": events.append_batch,
    "read_aggregate": events.read_aggregate,
    "replay": events.replay,
    "read_feed": events.read_feed,
    "get_event": events.get_event,
    "pull": pull,
    "search": search,
}
"""Of operations that take more than asking the store."""

_SERVED: Final = (
    # A subscription is the feed in another media type: one handler answers both.
    *(
        Route(one, _OWN_HANDLERS.get(one.name) or partial(ask, one))
        for one in OPERATIONS
        if one.path and one is not SUBSCRIBE
    ),
    Route(LIVEZ, livez),
    Route(READYZ, readyz),
    Route(METRICS, metrics),
    overview_route(),
)
ROUTES: Final = (*_SERVED, *reference_routes([route.operation for route in _SERVED]))
"""With those that describe them."""
