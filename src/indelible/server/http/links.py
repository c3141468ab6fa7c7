"""``Link: rel="next"`` (RFC 8288), relative to the server."""

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from indelible.events import AggregateKey
from indelible.server.http.messages import Headers


def next_link(path: str, parameters: Sequence[tuple[str, str]]) -> Headers:
    return ((b"link", f'<{path}?{urlencode(parameters)}>; rel="next"'.encode("ascii")),)


def with_parameter(parameters: Sequence[tuple[str, str]], name: str, value: str) -> list[tuple[str, str]]:
    """The same parameters, with this one replaced or added."""
    return [pair for pair in parameters if pair[0] != name] + [(name, value)]


def aggregate_events_path(key: AggregateKey) -> str:
    return f"/v1/aggregates/{quote(key.aggregate_type, safe='')}/{quote(key.aggregate_id, safe='')}/events"
