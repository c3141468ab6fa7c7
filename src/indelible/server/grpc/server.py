"""The gRPC server, held to this project's limits, as one part of an event loop that others use too."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from typing import Final

import grpc

from indelible.errors import InvalidRequest
from indelible.limits import (
    GRPC_CALLS_PER_CONNECTION_MAX,
    GRPC_KEEP_ALIVE_S,
    GRPC_KEEP_ALIVE_TIMEOUT_S,
    GRPC_PING_INTERVAL_MIN_S,
    GRPC_STOP_S,
    HEADER_SIZE_BYTES_MAX,
    REQUEST_SIZE_BYTES_MAX,
)
from indelible.server.config import Address
from indelible.server.grpc.calls import Calls
from indelible.server.grpc.handlers import SERVICES
from indelible.server.grpc.outgoing import LargeMessages, cut_connections
from indelible.server.grpc.standard_services import HEALTH_SERVICE, Health, Reflection
from indelible.server.services import Services
from indelible.tasks import first_of

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", REQUEST_SIZE_BYTES_MAX),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", HEADER_SIZE_BYTES_MAX),
    ("grpc.absolute_max_metadata_size", HEADER_SIZE_BYTES_MAX),
    ("grpc.max_concurrent_streams", GRPC_CALLS_PER_CONNECTION_MAX),
    ("grpc.keepalive_time_ms", int(GRPC_KEEP_ALIVE_S * 1_000)),
    ("grpc.keepalive_timeout_ms", int(GRPC_KEEP_ALIVE_TIMEOUT_S * 1_000)),
    # Clients may ping connections that carry nothing: that is how an idle subscription notices a dead server.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", int(GRPC_PING_INTERVAL_MIN_S * 1_000)),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", int(GRPC_PING_INTERVAL_MIN_S * 1_000)),
)


@contextlib.asynccontextmanager
async def serving_grpc(
    services: Services, at: Address, *, shutdown_grace_s: float, shared: bool = False
) -> AsyncIterator[str]:
    """Serve the API over gRPC while the context is open; gives HOST:PORT. Others may listen on the same port if all of
    them are ``shared``.

    Leaving stops graciously: nothing new is accepted, what is in flight is answered, within ``shutdown_grace_s``
    seconds. Set ``services.stopping`` before, which ends subscriptions. Raises ``InvalidRequest`` when the address
    cannot be had.
    """
    server = grpc.aio.server(options=(*_OPTIONS, ("grpc.so_reuseport", int(shared))))
    port = _listen(server, at)
    calls = Calls(services, LargeMessages(functools.partial(cut_connections, port)))
    for service, methods in SERVICES.items():
        handlers = {method.name: calls.handler(method) for method in methods}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_generic_rpc_handlers((Health(services, tuple(SERVICES)).handlers(),))
    server.add_generic_rpc_handlers(Reflection((*SERVICES, HEALTH_SERVICE)).handlers())
    await server.start()
    try:
        yield str(at._replace(port=port))
    finally:
        await _stop(server, calls, shutdown_grace_s)


def _listen(server: grpc.aio.Server, at: Address) -> int:
    try:
        return server.add_insecure_port(str(at))
    except RuntimeError as error:
        raise InvalidRequest(f"cannot listen on {at}: {error}", pointer="/grpc") from None


async def _stop(server: grpc.aio.Server, calls: Calls, grace_s: float) -> None:
    """The store's own calls get all the grace there is; others, which clients may hold open for ever, hardly any."""
    stopping = asyncio.create_task(server.stop(grace_s))
    await first_of(asyncio.shield(stopping), calls.wait_until_idle())
    await server.stop(GRPC_STOP_S)
    await stopping
