"""Streams and aggregates: each stream name stands for one aggregate, and each aggregate for one stream name.

``order-1`` is the aggregate ``1`` of the type ``order``: a name is split at its first dash. A name that cannot be split
so stands for an aggregate of the type :data:`WHOLE`, whose id is the whole name: one without a dash, one that begins or
ends with the only dash, and those of the system, which begin with ``$``. So ``$$order-1``, the metadata of ``order-1``,
is the aggregate ``$$order-1`` of the type ``~``. Two names never meet in one aggregate: a name such as ``~-orders``,
which the stream ``orders`` has taken, counts as one that cannot be split.

Names are Unicode text of 1 to 255 characters without control characters, as all names in the store are.
"""

from typing import Final

from indelible.access import is_own
from indelible.events import AggregateKey, check_name

WHOLE: Final = "~"
"""The aggregate type of streams whose names say none."""
METADATA_PREFIX: Final = "$$"


def aggregate_of(stream: str) -> AggregateKey:
    """Raises ``InvalidRequest`` for what is no name."""
    check_name(stream, "/stream_name")
    if _is_whole(stream):
        return AggregateKey(WHOLE, stream)
    aggregate_type, _, aggregate_id = stream.partition("-")
    return AggregateKey(aggregate_type, aggregate_id)


def stream_of(aggregate_type: str, aggregate_id: str) -> str:
    """Of any aggregate but the store's own, which have no stream: leave these out with ``access.is_own``."""
    if aggregate_type == WHOLE and _is_whole(aggregate_id):
        return aggregate_id
    return f"{aggregate_type}-{aggregate_id}"


def category_of(stream: str) -> str | None:
    """The aggregate type that the stream's name says; None where it says none."""
    return None if _is_whole(stream) else stream.partition("-")[0]


def metadata_stream_of(stream: str) -> str:
    return METADATA_PREFIX + stream


def _is_whole(stream: str) -> bool:
    aggregate_type, _, rest = stream.partition("-")
    # Of "~-~-~-orders" all but the last are prefixes.
    while aggregate_type == WHOLE and rest:
        aggregate_type, _, rest = rest.partition("-")
    return not aggregate_type or not rest or is_own(aggregate_type)
