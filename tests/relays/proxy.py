"""A TCP proxy before a broker: it breaks connections, lets little through, or nothing. In a thread, so that it works
whichever event loop a test has."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

_CHUNK_BYTES = 64 * 1024
_SLOW_CHUNK_BYTES = 4 * 1024
_START_TIMEOUT_S = 60


class Proxy:
    """From :attr:`port`, which is open at once, to ``port_behind``, where somebody listens or not."""

    def __init__(self, port_behind: int = 0) -> None:
        self.port = 0
        self.port_behind = port_behind
        """May be told later, before the first connection."""
        self.bytes_per_s: float | None = None
        """What is let through to the broker at most. None: all there is."""
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_open = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._do(self._listen)

    def cut(self) -> None:
        """Every connection, with a reset."""
        self._do(self._cut)

    def freeze(self) -> None:
        """Nothing is passed on any more, in neither direction; connections are taken."""
        self._do(self._is_open.clear)

    def thaw(self) -> None:
        self._do(self._is_open.set)

    def stop(self) -> None:
        self._do(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_TIMEOUT_S)
        self._loop.close()

    # --- In the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _do(self, what: Callable[[], Any]) -> None:
        async def do() -> None:
            result = what()
            if asyncio.iscoroutine(result):
                await result

        asyncio.run_coroutine_threadsafe(do(), self._loop).result(_START_TIMEOUT_S)

    async def _listen(self) -> None:
        self._is_open.set()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keep(asyncio.current_task())
        self._writers.add(writer)
        try:
            await self._is_open.wait()
            behind_reader, behind = await asyncio.open_connection("127.0.0.1", self.port_behind)
        except OSError:
            self._abort(writer)
            return
        self._writers.add(behind)
        await asyncio.gather(
            self._pass_on(reader, behind, writer, to_broker=True),
            self._pass_on(behind_reader, writer, behind, to_broker=False),
        )

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: asyncio.StreamWriter, *, to_broker: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES if self.bytes_per_s is None else _SLOW_CHUNK_BYTES):
                await self._is_open.wait()
                writer.write(data)
                await writer.drain()
                if to_broker and self.bytes_per_s is not None:
                    await asyncio.sleep(len(data) / self.bytes_per_s)
        self._abort(writer)
        self._abort(back)

    def _keep(self, task: "asyncio.Task[Any] | None") -> None:
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _abort(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.transport.abort()

    def _cut(self) -> None:
        for writer in list(self._writers):
            self._abort(writer)

    async def _end(self) -> None:
        self._server.close()
        self._cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.contextmanager
def proxy(port_behind: int = 0) -> Iterator[Proxy]:
    made = Proxy(port_behind)
    try:
        yield made
    finally:
        made.stop()
