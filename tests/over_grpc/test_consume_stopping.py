"""Consume on a server that stops, or is killed."""

import asyncio
import time

import grpc
import pytest

from faults.server_process import ServerProcess
from indelible.errors import ShuttingDown
from over_grpc.calls import Api, connected, refusal
from over_grpc.groups import Group, Stream, names


async def test_a_server_that_stops_gives_back_what_its_members_hold(server: ServerProcess, address: str) -> None:
    async with connected(address) as channel:
        group = await Group.made(Api(channel))
        await group.append("a", "b")
        stream = await group.consume(member="me")
        a, b = await stream.delivered(2)
        waiting = asyncio.create_task(group.pull(wait_s=30))
        silent = Stream(group.api)
        await asyncio.sleep(0.3)
        await stream.ack([a])
        await stream.answered(1)
        stopped = time.monotonic()
        server.terminate()
        for one in (stream, silent):
            status, error = await refusal(one.read())
            assert (status, type(error)) == (grpc.StatusCode.UNAVAILABLE, ShuttingDown)
        assert list(await waiting) == []
        assert await server.exit_code(15) == 0
        assert time.monotonic() - stopped < 15
    await server.start()
    async with connected(address) as channel:
        group.api = Api(channel)
        [again] = await group.pull()
        assert (names([again]), again.attempt) == (names([b]), 2)


async def test_a_server_that_is_killed(server: ServerProcess, address: str) -> None:
    """What was acknowledged is done; the rest comes again after its deadline."""
    async with connected(address) as channel:
        group = await Group.made(Api(channel), ack_timeout_s=6)
        await group.append("a", "b")
        stream = await group.consume()
        a, b = await stream.delivered(2)
        await stream.ack([a])
        await stream.answered(1)
        await server.kill()
        with pytest.raises(grpc.aio.AioRpcError):
            await stream.read()
    await server.start()
    async with connected(address) as channel:
        group.api = Api(channel)
        [again] = await group.pull(wait_s=30)
        assert (names([again]), again.attempt) == (names([b]), 2)
