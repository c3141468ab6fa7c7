"""``Link: rel="next"`` (RFC 8288), relative to the server."""

from collections.abc import Sequence
from urllib.parse import urlencode

from indelible.server.http.messages import Headers


def next_link(path: str, parameters: Sequence[tuple[str, str]]) -> Headers:
    return ((b"link", f'<{path}?{urlencode(parameters)}>; rel="next"'.encode("ascii")),)


def with_parameter(parameters: Sequence[tuple[str, str]], name: str, value: str) -> list[tuple[str, str]]:
    """The same parameters, with this one replaced or added."""
    return [pair for pair in parameters if pair[0] != name] + [(name, value)]
