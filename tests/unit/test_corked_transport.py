"""What is gathered for a connection that is gone by the time it would be written."""

import asyncio
from typing import Any

import uvloop

from indelible.server.corked_transport import CorkedTransport


class _Aborting(asyncio.Protocol):
    """Answers, and is cut off before its answer is written."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
        self._loop, self._ended = loop, ended

    def connection_made(self, transport: Any) -> None:
        self._loop.call_later(0.01, self._answer, transport)

    def _answer(self, transport: asyncio.Transport) -> None:
        transport.abort()
        # Written in the next turn, when the connection's handle is closed.
        CorkedTransport(transport, self._loop).write(b"answer")

    def connection_lost(self, error: Exception | None) -> None:
        self._ended.set()


async def _cut_off() -> list[dict[str, Any]]:
    loop, ended, errors = asyncio.get_running_loop(), asyncio.Event(), list[dict[str, Any]]()
    loop.set_exception_handler(lambda _, context: errors.append(context))
    server = await loop.create_server(lambda: _Aborting(loop, ended), "127.0.0.1", 0)
    async with asyncio.timeout(60):
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await ended.wait()
    await asyncio.sleep(0.05)
    writer.close()
    server.close()
    return errors


def test_an_answer_to_nobody_is_dropped() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(_cut_off()) == []
