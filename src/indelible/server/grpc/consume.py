"""Consume: a member of a consumer group, for as long as its stream is open."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import NoReturn

from indelible.errors import InvalidRequest, ShuttingDown
from indelible.groups import check_count, check_member
from indelible.limits import GROUP_IN_FLIGHT_MAX, GROUP_PULL_DEFAULT, RETRY_AFTER_S
from indelible.server.grpc.decoding import decode_message
from indelible.server.grpc.member import Member
from indelible.server.services import Services
from indelible.tasks import first_of
from indelible.wire.pb.groups_pb2 import ConsumeRequest, ConsumeStart
from indelible.wire.proto_consume import decode_settlement, encode_consumed


async def consume(services: Services, requests: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    member = await _begin(services, await _start(requests, services.stopping))
    reading = asyncio.create_task(_read(requests, member), name="grpc-member-says")
    stop = asyncio.create_task(_until_stopping(services.stopping))
    serving = asyncio.create_task(member.serve(until=(reading, stop)), name="grpc-member")
    try:
        async with aclosing(member.outgoing()) as outgoing:
            async for deliveries, settled in outgoing:
                yield encode_consumed(deliveries, settled)
        await serving
    finally:
        # Also when this call is cancelled again: it goes on by itself until everything is given back.
        for task in (serving, reading, stop):
            task.cancel()
        await asyncio.wait((serving,))


async def _until_stopping(stopping: asyncio.Event) -> NoReturn:
    await stopping.wait()
    raise ShuttingDown("the server stops; what was not acknowledged comes again elsewhere", retry_after_s=RETRY_AFTER_S)


async def _start(requests: AsyncIterator[bytes], stopping: asyncio.Event) -> ConsumeStart:
    encoded = await first_of(anext(requests, b""), _until_stopping(stopping))
    message = decode_message(ConsumeRequest, encoded)
    if not message.HasField("start"):
        raise InvalidRequest("must be in the first message", pointer="/start")
    return message.start


async def _begin(services: Services, start: ConsumeStart) -> Member:
    max_in_flight = start.max_in_flight if start.HasField("max_in_flight") else GROUP_PULL_DEFAULT
    try:
        check_member(start.member)
        check_count(max_in_flight, "/max_in_flight", GROUP_IN_FLIGHT_MAX)
        group = await services.store.groups.get(start.group)
    except InvalidRequest as error:
        raise error.under("/start") from None
    return Member(services.store.groups, group, start.member, max_in_flight)


async def _read(requests: AsyncIterator[bytes], member: Member) -> None:
    """Until the caller closes its side."""
    async for encoded in requests:
        await member.hear(decode_settlement(decode_message(ConsumeRequest, encoded)))
