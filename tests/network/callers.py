"""Callers of one server over either API, who do not try again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import grpc
import msgspec
from grpc_health.v1 import health_pb2, health_pb2_grpc

from indelible.client import AsyncClient


class Callers(msgspec.Struct, frozen=True):
    url: str
    client: AsyncClient
    session: aiohttp.ClientSession

    async def check_probes(self) -> None:
        """Those are answered whatever was asked before."""
        for _ in range(3):
            if self.url.startswith("grpc"):
                async with grpc.aio.insecure_channel(self.url.removeprefix("grpc://")) as channel:
                    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
                    assert answer.status == health_pb2.HealthCheckResponse.SERVING
            else:
                for path in ("livez", "readyz"):
                    async with self.session.get(f"{self.url}/{path}") as response:
                        assert response.status == 200


@asynccontextmanager
async def callers(url: str) -> AsyncIterator[Callers]:
    async with AsyncClient(url, retry_total_s=0) as client, aiohttp.ClientSession() as session:
        yield Callers(url, client, session)
