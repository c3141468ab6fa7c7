"""UmaDB's server, and its messages over gRPC. They are few and simple, and written here by hand, so that nothing of it
needs to be generated. The fields' numbers are those of its ``umadb.proto``, version 1."""

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Self

import grpc
from tests.postgres.server import free_port

from benchmarks.peers.environment import program
from benchmarks.process import Process

START_TIMEOUT_S: Final = 60.0
FILL_EVENTS: Final = 1_000
"""Events of one append that fills a store."""


class UmaDB(Process):
    """A server on a database file of its own. Use as a context manager.

    It syncs each commit before it answers; there is no setting for less. ``flags`` are those of its command line.
    """

    def __init__(self, path: Path, *flags: str) -> None:
        self.path = path
        self._address = f"127.0.0.1:{free_port()}"
        self._command = [program("umadb"), "--listen", self._address, "--db-path", str(path), *flags]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.pid = self._process.pid
        self._channel = grpc.insecure_channel(self._address)
        try:
            grpc.channel_ready_future(self._channel).result(START_TIMEOUT_S)
        except grpc.FutureTimeoutError:
            self._process.kill()
            raise RuntimeError(f"UmaDB did not start:\n{self._process.communicate()[0]}") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._process.terminate()
        self._process.communicate()

    def url(self, method: str = "") -> str:
        """Of the server, or of one method of its service."""
        return f"http://{self._address}" + (f"/umadb.v1.DCB/{method}" if method else "")

    def head(self) -> int:
        """The last event's position; 0 for none. Positions have no gaps."""
        answer = self._call("Head", b"")
        return _parse_varint(answer[1:]) if answer else 0

    def append(self, message: bytes) -> None:
        """Raises ``grpc.RpcError``."""
        self._call("Append", message)

    def refuses(self, message: bytes) -> bool:
        """Whether an append is refused for its condition."""
        try:
            self.append(message)
        except grpc.RpcError as error:
            return bool(error.code() is grpc.StatusCode.FAILED_PRECONDITION)
        return False

    def fill(self, messages: Iterable[bytes]) -> None:
        """Append events, each given as its message, up to what the store holds already."""
        waiting: list[bytes] = []
        for one in messages:
            waiting.append(one)
            if len(waiting) == FILL_EVENTS:
                self.append(append_request(waiting))
                waiting.clear()
        if waiting:
            self.append(append_request(waiting))

    def _call(self, method: str, message: bytes) -> bytes:
        call = self._channel.unary_unary(f"/umadb.v1.DCB/{method}", _same, _same)
        answer: bytes = call(message, timeout=START_TIMEOUT_S)
        return answer


def event(event_type: str, data: bytes, tags: Sequence[str] = ()) -> bytes:
    return _text(1, event_type) + b"".join(_text(2, tag) for tag in tags) + _field(3, data)


def query(types: Sequence[str] = (), tags: Sequence[str] = ()) -> bytes:
    """Of one item: any of the types, and all of the tags."""
    return _field(1, b"".join(_text(1, name) for name in types) + b"".join(_text(2, tag) for tag in tags))


def append_request(events: Sequence[bytes], *, fail_if: bytes | None = None, after: int = 0) -> bytes:
    """``fail_if`` is a query; events at or before ``after`` do not count."""
    condition = b"" if fail_if is None else _field(2, _field(1, fail_if) + b"\x10" + _varint(after))
    return b"".join(_field(1, one) for one in events) + condition


def read_request(events: bytes | None = None, batch_events: int | None = None) -> bytes:
    """``events`` is a query; all when it is missing. ``batch_events`` is the most of one message."""
    return (b"" if events is None else _field(1, events)) + (
        b"" if batch_events is None else b"\x30" + _varint(batch_events)
    )


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _field(number: int, content: bytes) -> bytes:
    """One of protobuf's fields with a length."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    septets = bytearray()
    while number > 0x7F:
        septets.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*septets, number])


def _parse_varint(septets: bytes) -> int:
    return sum((septet & 0x7F) << 7 * place for place, septet in enumerate(septets))


def _same(message: bytes) -> bytes:
    return message
