"""From a URL to the store that it names.

``http:``, ``https:`` and ``grpc:`` lead to a server. Every other scheme is an entry point of the group
``indelible.stores``: a function that takes the URL and returns a store within
this process. So the client needs to import no engine.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from indelible.errors import InvalidRequest
from indelible.eventstore import EventStore

if TYPE_CHECKING:
    from indelible.client.grpc import GrpcEventStore

_ENTRY_POINTS: Final = "indelible.stores"
_SERVERS: Final = ("http", "https", "grpc")


def is_server_url(url: str) -> bool:
    """Whether it names a server, and no store within this process; nothing is said about the rest of it."""
    return url.partition(":")[0].lower() in _SERVERS


class OpenableStore(EventStore, Protocol):
    async def open(self) -> object:
        """Make ready; called once, before anything else."""
        ...


def check_url(url: object) -> str:
    """The scheme of a store's URL. Raises ``InvalidRequest`` when it is no URL, or no store is known for its scheme."""
    if not isinstance(url, str):
        raise InvalidRequest(f"must be a URL, not {type(url).__name__}", pointer="/url")
    scheme, colon, _ = url.partition(":")
    if scheme in _SERVERS:
        _check_server_url(url)
        return scheme
    local = entry_points(group=_ENTRY_POINTS).names
    if not colon or scheme not in local:
        known = ", ".join(f"{name}:" for name in (*_SERVERS, *sorted(local)))
        raise InvalidRequest(f"{url!r} is not the URL of a store; known schemes are {known}", pointer="/url")
    return scheme


def _check_server_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        # gRPC has no paths of the caller's choice.
        is_good = parts.scheme != "grpc" or (parts.port is not None and parts.path in ("", "/"))
        is_good = is_good and bool(parts.hostname) and parts.port != 0 and not parts.query and not parts.fragment
    except ValueError as error:
        raise InvalidRequest(f"{url!r} is not a URL: {error}", pointer="/url") from None
    if not is_good:
        raise InvalidRequest(f"{url!r} must be like {parts.scheme}://HOST:PORT", pointer="/url")


def make_store(url: str, *, timeout_s: float, retry_total_s: float, headers: Mapping[str, str]) -> OpenableStore:
    """A store for the URL, not opened yet. All but ``url`` is for servers."""
    scheme = check_url(url)
    if scheme in ("http", "https"):
        # A client of a local store never loads the HTTP library.
        from indelible.client.http import HttpEventStore  # noqa: PLC0415 - see above

        return HttpEventStore(url, timeout_s=timeout_s, retry_total_s=retry_total_s, headers=headers)
    if scheme == "grpc":
        return _grpc_store()(url, timeout_s=timeout_s, retry_total_s=retry_total_s, headers=headers)
    (entry_point,) = entry_points(group=_ENTRY_POINTS, name=scheme)
    make: Callable[[str], OpenableStore] = entry_point.load()
    return make(url)


def _grpc_store() -> "type[GrpcEventStore]":
    try:
        from indelible.client.grpc import GrpcEventStore  # noqa: PLC0415 - needs packages of an extra
    except ImportError as error:
        raise InvalidRequest(f'needs more packages: pip install "indelible[grpc]" ({error})', pointer="/url") from None
    return GrpcEventStore
