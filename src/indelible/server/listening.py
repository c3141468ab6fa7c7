"""Sockets that listen."""

import contextlib
import socket

from indelible.errors import InvalidRequest
from indelible.limits import CONNECTIONS_WAITING_MAX
from indelible.server.config import Address


def listen(address: Address, *, shared: bool = False, pointer: str = "/http") -> socket.socket:
    """A socket that listens. Others may share its port if all of them are ``shared``. Raises ``InvalidRequest`` when
    the address cannot be had."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server(tuple(address), family=family, backlog=CONNECTIONS_WAITING_MAX, reuse_port=shared)
    except OSError as error:
        raise InvalidRequest(f"cannot listen on {address}: {error.strerror or error}", pointer=pointer) from None


def hold_port(address: Address) -> socket.socket:
    """A socket that takes a port and does not listen, so that processes of this server, and nobody else, may listen on
    it. Raises ``InvalidRequest`` when the address cannot be had."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with listen(address, pointer="/grpc") as alone:
        at = alone.getsockname()
    holder = socket.socket(family)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind(at)
    return holder


def listen_together(address: Address, count: int, sockets: contextlib.ExitStack) -> list[socket.socket]:
    """``count`` sockets that listen on one port, one for each worker; ``sockets`` closes them. Raises as
    :func:`listen`.

    The kernel gives each new connection to one of them by a hash of its addresses. From one socket that all workers
    accept from, whoever wakes first takes all that wait: of 64 connections that came at once, two workers got 9 and 55,
    four 13, 1, 40 and 10. With a socket each they got 28 and 36, and 20, 18, 14 and 12.
    """
    with listen(address) as alone:
        # Sockets that share a port would share it with those of another server too, and nobody would notice.
        at = address._replace(port=alone.getsockname()[1])
    return [sockets.enter_context(listen(at, shared=True)) for _ in range(count)]
