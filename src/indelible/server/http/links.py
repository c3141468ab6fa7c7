"""``Link: rel="next"`` (RFC 8288), relative to the server."""

from collections.abc import Sequence
from urllib.parse import urlencode

from indelible.limits import LINK_SIZE_BYTES_MAX
from indelible.server.http.messages import Headers


def next_link(path: str, parameters: Sequence[tuple[str, str]]) -> Headers:
    """Nothing, where it would be longer than many clients take: the page's own fields say how to go on."""
    link = f'<{path}?{urlencode(parameters)}>; rel="next"'.encode("ascii")
    return ((b"link", link),) if len(link) <= LINK_SIZE_BYTES_MAX else ()


def with_parameter(parameters: Sequence[tuple[str, str]], name: str, value: str) -> list[tuple[str, str]]:
    """The same parameters, with this one replaced or added."""
    return [pair for pair in parameters if pair[0] != name] + [(name, value)]
