"""grpc.health.v1.Health: whether the store is within reach and takes appends, as ``/readyz`` tells it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

import grpc
from grpc_health.v1.health_pb2 import DESCRIPTOR, HealthCheckRequest, HealthCheckResponse

from indelible.errors import IndelibleError
from indelible.limits import HEALTH_WATCH_INTERVAL_S
from indelible.server.services import Services

HEALTH_SERVICE: Final[str] = DESCRIPTOR.services_by_name["Health"].full_name


class Health:
    """``names``: the services that it knows of; the empty name stands for the server."""

    def __init__(self, services: Services, names: tuple[str, ...]) -> None:
        self._services: Final = services
        self._names: Final = ("", *names)

    def handlers(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            HEALTH_SERVICE,
            {
                "Check": grpc.unary_unary_rpc_method_handler(
                    self._check, HealthCheckRequest.FromString, HealthCheckResponse.SerializeToString
                ),
                "Watch": grpc.unary_stream_rpc_method_handler(
                    self._watch, HealthCheckRequest.FromString, HealthCheckResponse.SerializeToString
                ),
            },
        )

    async def _check(
        self, request: HealthCheckRequest, context: "grpc.aio.ServicerContext[HealthCheckRequest, HealthCheckResponse]"
    ) -> HealthCheckResponse:
        if request.service not in self._names:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return HealthCheckResponse(status=await self._status())

    async def _watch(
        self, request: HealthCheckRequest, _: "grpc.aio.ServicerContext[HealthCheckRequest, HealthCheckResponse]"
    ) -> AsyncGenerator[HealthCheckResponse]:
        """Each change, until the server stops."""
        told: int | None = None
        is_known = request.service in self._names
        while True:
            status = await self._status() if is_known else HealthCheckResponse.SERVICE_UNKNOWN
            if status != told:
                told = status
                yield HealthCheckResponse(status=status)
            if self._services.stopping.is_set():
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(HEALTH_WATCH_INTERVAL_S):
                    await self._services.stopping.wait()

    async def _status(self) -> int:
        try:
            await self._services.check_ready()
        except IndelibleError:
            return HealthCheckResponse.NOT_SERVING
        return HealthCheckResponse.SERVING
