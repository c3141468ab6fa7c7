"""``/livez``, ``/readyz`` and ``/metrics``."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from prometheus_client import CONTENT_TYPE_LATEST

from indelible.server.background import PartState
from indelible.server.http.messages import Request, Response
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.services import Services


class HealthBody(msgspec.Struct):
    status: Literal["ok"] = "ok"


class ReadinessBody(msgspec.Struct):
    """The server is ready."""

    status: Annotated[Literal["ok"], Meta(description="Anything else is an error.", examples=["ok"])] = "ok"
    parts: Annotated[
        list[PartState] | UnsetType,
        Meta(
            description="What it is made of. Only when asked for by verbose.",
            examples=[msgspec.to_builtins([PartState("store appends", "running", is_vital=True)])],
        ),
    ] = UNSET


LIVEZ: Final = Operation(
    "livez",
    "Operations",
    "Is the process alive?",
    "200 while the process answers. For liveness probes.",
    (Answer(200, "It is.", HealthBody),),
)
READYZ: Final = Operation(
    "readyz",
    "Operations",
    "Is the server ready?",
    "200 while the store is within reach and takes appends, and every other vital part is ready, else 503. For "
    "readiness probes and load balancers. With `verbose` both answers tell of each part: the store, and what runs "
    "beside the requests.",
    (Answer(200, "It is.", ReadinessBody),),
    query=("verbose",),
    errors=("shutting_down", "unavailable"),
)
METRICS: Final = Operation(
    "metrics",
    "Operations",
    "Get metrics",
    "In Prometheus' text format. Of several workers the one that is asked answers for all; the label worker tells them "
    "apart.",
    (Answer(200, "All metrics.", text="text/plain"),),
)


_OK: Final = msgspec.json.encode(HealthBody())


async def livez(services: Services, request: Request) -> Response:  # noqa: ARG001 - answering is all that is asked
    """The process answers."""
    return Response(200, _OK)


async def readyz(services: Services, request: Request) -> Response:
    """The store is within reach and takes appends."""
    verbose = request.query("verbose", flags=("verbose",)).flag("verbose")
    parts = await services.check_ready(verbose=verbose)
    return Response(200, msgspec.json.encode(ReadinessBody(parts=parts)) if verbose else _OK)


async def metrics(services: Services, request: Request) -> Response:  # noqa: ARG001 - the same for every request
    return Response(200, await services.metrics_text(), CONTENT_TYPE_LATEST)
