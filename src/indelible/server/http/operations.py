"""``/livez``, ``/readyz`` and ``/metrics``."""

from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST

from indelible.errors import IndelibleError, ShuttingDown
from indelible.limits import RETRY_AFTER_S
from indelible.server.http.messages import Request, Response
from indelible.server.metrics import Gauges
from indelible.server.services import Services

_OK: Final = b'{"status":"ok"}'


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
