"""What a service manager gives to the process that it starts, and hears from it: sockets that listen already, and
notifications (systemd's sd_listen_fds and sd_notify). Without one, all of this does nothing.

Sockets that the manager holds outlive the server: who connects while it is started anew waits, and is not refused.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from typing import Final

import msgspec

from indelible.errors import InvalidRequest
from indelible.server.config import Address, Settings
from indelible.server.process import ServerUrls

_FIRST_DESCRIPTOR: Final = 3
_IN_ORDER: Final = ("http", "grpc")
"""What sockets without a name are for, in this order."""
_NAMES: Final = (*_IN_ORDER, "esdb")
"""Of sockets: the settings, and the tables of `[wire]`, that they stand for."""
_OF_SOCKETS: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
_OF_NOTIFICATIONS: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_US_PER_S: Final = 1_000_000


class ServiceManager:
    """Of this process. ``sockets``: by the name of what each stands for: "http", "grpc", "esdb"."""

    def __init__(
        self,
        sockets: Mapping[str, socket.socket] | None = None,
        notify_socket: str | None = None,
        watchdog_s: float | None = None,
    ) -> None:
        self.sockets: Final = dict(sockets or {})
        self._notify_socket: Final = notify_socket
        self._watchdog_s: Final = watchdog_s

    @classmethod
    def of_this_process(cls, environ: MutableMapping[str, str] = os.environ) -> "ServiceManager":
        """Takes its variables out of the environment, so that they are meant for nobody else. Raises
        ``InvalidRequest`` for sockets that a server cannot use."""
        given = {name: environ.pop(name, "") for name in (*_OF_SOCKETS, *_OF_NOTIFICATIONS)}
        watchdog_us = given["WATCHDOG_USEC"] if given["WATCHDOG_PID"] in ("", str(os.getpid())) else ""
        watchdog_s = int(watchdog_us) / _US_PER_S if watchdog_us.isdigit() else None
        return cls(_sockets(given), given["NOTIFY_SOCKET"] or None, watchdog_s or None)

    def applied_to(self, settings: Settings) -> Settings:
        """The settings, with the addresses of the sockets."""
        addresses = {name: Address(*one.getsockname()[:2]) for name, one in self.sockets.items()}
        if settings.workers > 1 and addresses.keys() & {"grpc", "esdb"}:
            what = "gRPC" if "grpc" in addresses else "wire.esdb"
            message = f"{what} cannot be served by several workers on a socket that is handed over; leave it out"
            raise InvalidRequest(message, pointer="/workers")
        esdb = addresses.pop("esdb", None)
        if esdb is not None:
            settings = settings.with_esdb_at(esdb)
        return msgspec.structs.replace(settings, **addresses) if addresses else settings

    # --- What it hears -----------------------------------------------------------------------------------------------

    def on_ready(self, then: Callable[[ServerUrls], None] | None) -> Callable[[ServerUrls], None]:
        """To be called when the server serves; calls ``then`` as well."""

        def ready(urls: ServerUrls) -> None:
            self.tell("READY=1", f"STATUS=serving at {' and '.join(filter(None, urls))}")
            if then is not None:
                then(urls)

        return ready

    def tell(self, *lines: str) -> None:
        """What is told is lost when nobody takes it: a server does not fail for that."""
        if self._notify_socket is None:
            return
        address = self._notify_socket
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
            # "@" stands for the zero byte of a name that is no file's.
            sender.connect("\0" + address[1:] if address.startswith("@") else address)
            sender.setblocking(False)
            sender.send("\n".join(lines).encode())

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Shows meanwhile that the event loop runs, if that is asked for."""
        if self._watchdog_s is None:
            yield
            return
        telling = asyncio.create_task(self._tell_again(self._watchdog_s / 2), name="watchdog")
        try:
            yield
        finally:
            telling.cancel()

    async def _tell_again(self, interval_s: float) -> None:
        while True:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(interval_s)


def _sockets(given: Mapping[str, str]) -> dict[str, socket.socket]:
    if given["LISTEN_PID"] != str(os.getpid()) or not given["LISTEN_FDS"].isdigit():
        return {}
    count = int(given["LISTEN_FDS"])
    names = given["LISTEN_FDNAMES"].split(":") if given["LISTEN_FDNAMES"] else []
    named = [names[i] if i < len(names) and names[i] in _NAMES else "" for i in range(count)]
    left = [name for name in _IN_ORDER if name not in named]
    found: dict[str, socket.socket] = {}
    for i, given_name in enumerate(named):
        name = given_name or (left.pop(0) if left else "")
        if not name or name in found:
            taken = "a server takes one for http, one for grpc, and one that is named esdb"
            message = f"{count} sockets are handed over by LISTEN_FDS; {taken}"
            raise InvalidRequest(message, pointer="/http")
        found[name] = _listening(_FIRST_DESCRIPTOR + i, name)
    return found


def _listening(descriptor: int, name: str) -> socket.socket:
    try:
        os.set_inheritable(descriptor, False)
        one = socket.socket(fileno=descriptor)
        listens = bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError as error:
        message = f"descriptor {descriptor}, handed over by LISTEN_FDS, is no socket: {error.strerror}"
        raise InvalidRequest(message, pointer=f"/{name}") from None
    if not listens or one.family not in (socket.AF_INET, socket.AF_INET6):
        message = f"descriptor {descriptor}, handed over by LISTEN_FDS, is no TCP socket that listens"
        raise InvalidRequest(message, pointer=f"/{name}")
    one.setblocking(False)
    return one
