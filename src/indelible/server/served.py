"""Where a server is reached."""

from typing import NamedTuple


class Served(NamedTuple):
    url: str
    """Of the REST API."""
    grpc_url: str | None
    """None when gRPC is not offered."""
