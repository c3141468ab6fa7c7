"""From a URL to the store that it names: a server's, or one in this process."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from indelible.errors import InvalidRequest
from indelible.eventstore import EventStore
from indelible.store_urls import SERVER_SCHEMES, check_server_url, engine_schemes, is_engine_url, is_server_url

if TYPE_CHECKING:
    from indelible.client.grpc import GrpcEventStore


class OpenableStore(EventStore, Protocol):
    async def open(self) -> object:
        """Make ready; called once, before anything else."""
        ...


def check_url(url: object) -> None:
    """Raises ``InvalidRequest`` when it is no URL, or no store is known for its scheme."""
    if not isinstance(url, str):
        raise InvalidRequest(f"must be a URL, not {type(url).__name__}", pointer="/url")
    if is_server_url(url):
        check_server_url(url)
    elif not is_engine_url(url):
        known = ", ".join(f"{name}:" for name in (*SERVER_SCHEMES, *engine_schemes()))
        raise InvalidRequest(f"{url!r} is not the URL of a store; known schemes are {known}", pointer="/url")


def make_store(url: str, *, timeout_s: float, retry_total_s: float, headers: Mapping[str, str]) -> OpenableStore:
    """A store for a URL that was checked, not opened yet. All but ``url`` is for servers."""
    if not is_server_url(url):
        # Nothing of it is loaded, nor needed, by a client of a server.
        from indelible.core.open import open_local_store  # noqa: PLC0415 - see above

        return open_local_store(url)
    url = check_server_url(url)
    if url.startswith("grpc:"):
        return _grpc_store()(url, timeout_s=timeout_s, retry_total_s=retry_total_s, headers=headers)
    # A client of a local store never loads the HTTP library.
    from indelible.client.http import HttpEventStore  # noqa: PLC0415 - see above

    return HttpEventStore(url, timeout_s=timeout_s, retry_total_s=retry_total_s, headers=headers)


def _grpc_store() -> "type[GrpcEventStore]":
    try:
        from indelible.client.grpc import GrpcEventStore  # noqa: PLC0415 - needs packages of an extra
    except ImportError as error:
        raise InvalidRequest(f'needs more packages: pip install "indelible[grpc]" ({error})', pointer="/url") from None
    return GrpcEventStore
