"""What the client makes of calls that failed without a word from the server."""

import asyncio
import gc
import socket
from typing import Any

import grpc
import pytest

from indelible import AsyncClient, NewEvent
from indelible.client.grpc import error_of
from indelible.errors import IndelibleError, InternalError, OutcomeUnknown, PayloadTooLarge, Unavailable


@pytest.mark.parametrize(
    ("code", "details", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses", Unavailable),
        (grpc.StatusCode.UNAVAILABLE, "too many pings", OutcomeUnknown),
        (grpc.StatusCode.CANCELLED, "Locally cancelled", OutcomeUnknown),
        # What grpc says in place of a status that came while a message was on its way: it may be stored.
        (grpc.StatusCode.INTERNAL, "Internal error from Core", OutcomeUnknown),
        (grpc.StatusCode.INTERNAL, "Exception deserializing response!", InternalError),
        (grpc.StatusCode.UNIMPLEMENTED, "Method not found!", InternalError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max", PayloadTooLarge),
    ],
)
def test_what_a_failed_call_stands_for(code: grpc.StatusCode, details: str, kind: type[IndelibleError]) -> None:
    failed = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=details)
    error = error_of("grpc://127.0.0.1:1", failed)
    assert type(error) is kind
    assert details in error.message


async def test_an_append_that_cannot_be_sent_leaves_no_failure_unheard() -> None:
    complaints = list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"grpc://127.0.0.1:{silent.getsockname()[1]}"
        async with AsyncClient(url, timeout_s=0.1, retry_total_s=0) as client:
            with pytest.raises(OutcomeUnknown):
                await client.append("Order", "1", [NewEvent("Placed", {})])
    gc.collect()
    assert complaints == []
