"""The gRPC server: a part of an event loop that others use too."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import Any, Final

from indelible.limits import GRPC_CANCEL_S, GRPC_STOP_S
from indelible.server.accepting import accept
from indelible.server.config import Address
from indelible.server.grpc.calls import GRPC, Calls, Dialect, Method
from indelible.server.grpc.connection import Connection
from indelible.server.grpc.handlers import SERVICES
from indelible.server.grpc.site import Site
from indelible.server.grpc.standard_services import HEALTH_SERVICE, REFLECTION_SERVICES, Health, Reflection
from indelible.server.process import listen
from indelible.server.services import Services
from indelible.server.tls import Certificates

_LOOK_INTERVAL_S: Final = 1.0


@contextlib.asynccontextmanager
async def serving_grpc(
    services: Services,
    at: Address | socket.socket,
    *,
    shutdown_grace_s: float,
    shared: bool = False,
    certificates: Certificates | None = None,
) -> AsyncIterator[str]:
    """Serve the API over gRPC while the context is open; gives HOST:PORT. Others may listen on the same port if all of
    them are ``shared``. A socket that listens is closed at the end. With ``certificates`` over TLS alone.

    Leaving stops graciously: nothing new is accepted, what is in flight is answered, within ``shutdown_grace_s``
    seconds. Set ``services.stopping`` before, which ends subscriptions. Raises ``InvalidRequest`` when the address
    cannot be had.
    """
    listener = listen(at, shared=shared, pointer="/grpc") if isinstance(at, Address) else at
    others = _standard_services(services)
    async with serving_methods(
        services, listener, SERVICES, others, GRPC, shutdown_grace_s=shutdown_grace_s, certificates=certificates
    ) as address:
        yield address


@contextlib.asynccontextmanager
async def serving_methods(
    services: Services,
    listener: socket.socket,
    own: Mapping[str, Sequence[Method]],
    others: Mapping[str, Sequence[Method]],
    dialect: Dialect,
    *,
    shutdown_grace_s: float,
    certificates: Certificates | None,
) -> AsyncIterator[str]:
    """Any API over gRPC; see :class:`Calls` and :func:`serving_grpc`."""
    address = Address(*listener.getsockname()[:2])
    calls = Calls(services, own, others, dialect)
    site = Site(calls.begin)
    server = await accept(listener, lambda: Connection(site), site, certificates, "h2")
    looking = asyncio.create_task(_look(site), name="grpc-connections")
    try:
        yield str(address)
    finally:
        server.close()
        site.stop()
        await _stop(site, calls, shutdown_grace_s)
        looking.cancel()


def _standard_services(services: Services) -> dict[str, tuple[Method, ...]]:
    reflection = Reflection((*SERVICES, HEALTH_SERVICE)).methods()
    return {
        HEALTH_SERVICE: Health(services, tuple(SERVICES)).methods(),
        **dict.fromkeys(REFLECTION_SERVICES, reflection),
    }


async def _look(site: Site) -> None:
    while True:
        await asyncio.sleep(_LOOK_INTERVAL_S)
        site.look(asyncio.get_running_loop().time())


async def _stop(site: Site, calls: Calls, grace_s: float) -> None:
    """The store's own calls get all the grace there is; others, which clients may hold open for ever, hardly any."""
    await _wait(calls.wait_until_idle(), grace_s)
    await _wait(calls.wait_until_done(), GRPC_STOP_S)
    site.cancel_calls()
    await _wait(calls.wait_until_done(), GRPC_CANCEL_S)
    await site.close()


async def _wait(done: Coroutine[Any, Any, None], seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await done
