"""What a connection that failed is called, whatever library found out: an address, and why, in a few words.

Where the URL names another protocol than what is spoken at the address, the error says so. To try again would not help
then.
"""

import errno
import os
import re
import socket
from typing import Final
from urllib.parse import urlsplit

from indelible.client.tls import handshake_error
from indelible.errors import IndelibleError, InvalidRequest, Unavailable

_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "wrong version number", "RECORD_LAYER_FAILURE", "record layer failure")
_PLAIN: Final = {"https": "http", "grpcs": "grpc"}
_OVER_TLS: Final = {"http": "https", "grpc": "grpcs"}
_OF_HTTP: Final = {"grpc": "http", "grpcs": "https"}
_OF_GRPC: Final = {"http": "grpc", "https": "grpcs"}
"""Schemes by others that differ in one thing alone."""

CLOSED: Final = "the connection was closed"
_UNKNOWN_NAME: Final = "no host has this name"


def address_of(url: str) -> str:
    """HOST:PORT, as it stands in the URL."""
    return urlsplit(url).netloc.rpartition("@")[2]


def cannot_connect(url: str, reason: str) -> Unavailable:
    """No connection came about, so nothing was sent."""
    return Unavailable(f"cannot connect to {address_of(url)}: {reason}")


def reason_of(error: OSError) -> str:
    """In a few words."""
    if isinstance(error, socket.gaierror):
        return _UNKNOWN_NAME
    if error.errno is not None and error.errno in errno.errorcode and type(error).__module__ == "builtins":
        return os.strerror(error.errno).lower()
    return str(error) or CLOSED


def reason_of_grpc(message: str) -> str:
    """In a few words, of what gRPC says of a connection that did not come about."""
    if "Domain name not found" in message or "DNS resolution failed" in message:
        return _UNKNOWN_NAME
    # It tells the reason behind an address, or several: ipv4:127.0.0.1:1: Failed to connect to remote host: …
    reason = re.split(r"ipv[46]:\S+: ", message)[-1].removeprefix("Failed to connect to remote host: ")
    reason = re.sub(r"^connect: (.*) \(\d+\)$", r"\1", reason)
    if "Socket closed" in reason:
        return CLOSED
    return reason[:1].lower() + reason[1:]


def wrong_url(url: str, reason: str) -> IndelibleError | None:
    """What to do about a connection that failed for this reason, where it is certain that the same would happen
    again."""
    scheme = urlsplit(url).scheme
    if scheme in _PLAIN and any(one in reason for one in _NO_TLS):
        return _speaks_another(url, "does not speak TLS", _PLAIN[scheme])
    if scheme in _OF_HTTP and "http1.x server" in reason:
        return _speaks_another(url, "speaks HTTP and not gRPC", _OF_HTTP[scheme])
    return handshake_error(address_of(url), reason)


def speaks_grpc(url: str) -> InvalidRequest:
    """To a caller over HTTP."""
    return _speaks_another(url, "speaks gRPC and not HTTP", _OF_GRPC[urlsplit(url).scheme])


def no_http(url: str) -> InvalidRequest:
    """What came back is not HTTP."""
    return InvalidRequest(f"{address_of(url)} does not answer in HTTP: is it the right port?", pointer="/url")


def _speaks_another(url: str, what: str, scheme: str) -> InvalidRequest:
    return InvalidRequest(
        f"{address_of(url)} {what}: the URL must begin with {scheme}:, or has the wrong port", pointer="/url"
    )


def maybe_tls(url: str) -> str:
    """Behind what is said of a server that has never answered, and hangs up: one that expects TLS does so."""
    scheme = urlsplit(url).scheme
    return f" (if it speaks TLS, the URL begins with {_OVER_TLS[scheme]}:)" if scheme in _OVER_TLS else ""
