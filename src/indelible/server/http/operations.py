"""``/livez``, ``/readyz`` and ``/metrics``."""

from typing import Final, Literal

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from indelible.errors import IndelibleError, ShuttingDown
from indelible.limits import RETRY_AFTER_S
from indelible.server.http.messages import Request, Response
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.metrics import Gauges
from indelible.server.services import Services


class HealthBody(msgspec.Struct):
    status: Literal["ok"] = "ok"


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
    "200 while the store takes appends, else 503. For readiness probes and load balancers.",
    (Answer(200, "It is.", HealthBody),),
    errors=("shutting_down",),
)
METRICS: Final = Operation(
    "metrics",
    "Operations",
    "Get metrics",
    "In Prometheus' text format.",
    (Answer(200, "All metrics.", text="text/plain"),),
)


_OK: Final = msgspec.json.encode(HealthBody())


async def livez(services: Services, request: Request) -> Response:  # noqa: ARG001 - answering is all that is asked
    """The process answers."""
    return Response(200, _OK)


async def readyz(services: Services, request: Request) -> Response:  # noqa: ARG001 - the same for every request
    """The store is open and takes appends."""
    if services.not_ready_because is not None:
        raise ShuttingDown(services.not_ready_because, retry_after_s=RETRY_AFTER_S)
    return Response(200, _OK)


async def metrics(services: Services, request: Request) -> Response:  # noqa: ARG001 - the same for every request
    store = services.store
    gauges = Gauges(ready=services.not_ready_because is None, queue_depth=store.queue_depth)
    try:
        gauges.head_position = (await store.head()).position
        gauges.storage_size_bytes = await store.storage_size_bytes()
    except IndelibleError:
        # A store that has failed cannot say; what was counted is worth the more then.
        gauges.ready = False
    return Response(200, services.metrics.render(gauges), CONTENT_TYPE_LATEST)
