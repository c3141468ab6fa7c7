"""What a store's URL names: a server, or an engine in this process. Everybody who is given a URL asks here.

``http:``, ``https:``, ``grpc:`` and ``grpcs:`` name a server, those with an ``s`` over TLS. Every other
scheme is an entry point of the group ``indelible.engines``, of this package or of any other that is installed: a
function as :class:`indelible.engines.engine.EngineMaker` says. An engine of another package so works wherever one of
ours does.
"""

import re
import sys
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any, Final
from urllib.parse import urlsplit

from indelible.errors import InvalidRequest
from indelible.limits import PARTITIONS_MAX

ENGINES: Final = "indelible.engines"
"""The group of entry points. One that begins like a server's URL is never asked."""
SINKS: Final = "indelible.sinks"
"""The group of those that a relay publishes to, likewise by the scheme of their URL."""
INDEXES: Final = "indelible.indexes"
"""The group of query indexes, likewise."""
SERVER_SCHEMES: Final = ("http", "https", "grpc", "grpcs")
GRPC_SCHEMES: Final = ("grpc", "grpcs")

STORE_SCHEMA_DEFAULT: Final = "indelible"
"""The schema of a PostgreSQL database that holds a store, where its URL says none."""


def scheme_of(url: str) -> str:
    """In lower case, as it means the same in capitals; empty when there is none."""
    scheme, colon, _ = url.partition(":")
    return scheme.lower() if colon else ""


@cache
def _installed_in(_: tuple[str, ...], group: str) -> EntryPoints:
    """Looking for them takes 10 ms, with a file for each package: it is done once, unless the path is another."""
    return entry_points(group=group)


def _installed(group: str) -> EntryPoints:
    return _installed_in(tuple(sys.path), group)


def is_server_url(url: str) -> bool:
    """Whether it names a server; nothing is said about the rest of it."""
    return scheme_of(url) in SERVER_SCHEMES


def is_engine_url(url: str) -> bool:
    """Whether it names an engine that is installed; nothing is said about the rest of it."""
    return not is_server_url(url) and scheme_of(url) in engine_schemes()


def engine_schemes() -> list[str]:
    """Of the engines that are installed, sorted."""
    return sorted(_installed(ENGINES).names)


def index_schemes() -> list[str]:
    """Of the query indexes that are installed, sorted."""
    return sorted(_installed(INDEXES).names)


def is_index_url(url: str) -> bool:
    """Whether it names a query index that is installed; nothing is said about the rest of it."""
    return scheme_of(url) in index_schemes()


def check_server_url(url: str) -> str:
    """The URL of a server, without a slash at its end. Raises ``InvalidRequest``, also for a URL of something else."""
    try:
        parts = urlsplit(url)
        # gRPC has no paths of the caller's choice.
        is_good = parts.scheme not in GRPC_SCHEMES or (parts.port is not None and parts.path in ("", "/"))
        is_good = is_good and bool(parts.hostname) and parts.port != 0 and not parts.query and not parts.fragment
    except ValueError as error:
        raise InvalidRequest(f"{url!r} is not a URL: {error}", pointer="/url") from None
    if parts.scheme not in SERVER_SCHEMES:
        raise InvalidRequest(f"{url!r} is not the URL of a server such as http://127.0.0.1:8080", pointer="/url")
    if is_api_url(url):
        raise InvalidRequest(f"{url!r} must be the address alone, without /v1", pointer="/url")
    if not is_good:
        raise InvalidRequest(f"{url!r} must be like {parts.scheme}://HOST:PORT", pointer="/url")
    return parts.geturl().rstrip("/")


def is_api_url(url: str) -> bool:
    """Whether it names a server's API, as its documentation does, in place of the server."""
    return is_server_url(url) and url.rstrip("/").endswith("/v1")


def urls_of(store: str) -> list[str]:
    """Of the databases that a store lies in: one, or several with spaces between them, in the order of their
    partitions."""
    schemes = "|".join(map(re.escape, engine_schemes()))
    return re.split(rf"\s+(?=(?:{schemes}):)", store.strip())


def take_partitions(url: str) -> tuple[str, int]:
    """A store's URL without its parameter ``partitions``, and how many it asks for: 1 where it is not there. Raises
    ``InvalidRequest``."""
    rest, number = _take_number(url, "partitions", 1, PARTITIONS_MAX)
    return rest, number or 1


def take_partition(url: str) -> tuple[str, int | None]:
    """Likewise the parameter ``partition``: which of the store's partitions alone is meant, from 0."""
    return _take_number(url, "partition", 0, PARTITIONS_MAX - 1)


def _take_number(url: str, name: str, least: int, most: int) -> tuple[str, int | None]:
    base, mark, query = url.partition("?")
    parameters = query.split("&") if mark else []
    given = [one.partition("=")[2] for one in parameters if one.partition("=")[0] == name]
    if not given:
        return url, None
    if len(given) > 1:
        raise InvalidRequest(f"the parameter {name} must stand there once", pointer="/store")
    is_number = given[0].isascii() and given[0].isdigit() and len(given[0]) <= _PARTITIONS_DIGITS_MAX
    if not is_number or not least <= int(given[0]) <= most:
        message = f"the parameter {name} must be a number from {least} to {most}, not {given[0]!r}"
        raise InvalidRequest(message, pointer="/store")
    rest = "&".join([one for one in parameters if one.partition("=")[0] != name])
    return f"{base}?{rest}" if rest else base, int(given[0])


_PARTITIONS_DIGITS_MAX: Final = len(str(PARTITIONS_MAX))


def load_engine_maker(url: str) -> Any:
    """The :class:`EngineMaker` that is installed for the URL. Raises ``InvalidRequest``."""
    return _load_maker(url, ENGINES, "engine", "/store")


def load_sink_maker(url: str) -> Any:
    """The :class:`indelible.relays.sink.SinkMaker` that is installed for the URL. Raises ``InvalidRequest``."""
    return _load_maker(url, SINKS, "sink", "/to")


def load_index_maker(url: str) -> Any:
    """The :class:`indelible.indexes.makers.IndexMaker` that is installed for the URL. Raises ``InvalidRequest``."""
    return _load_maker(url, INDEXES, "index", "/index/store")


def _load_maker(url: str, group: str, kind: str, pointer: str) -> Any:
    entry_point = _entry_point(url, group, kind, pointer)
    try:
        return entry_point.load()
    except (ImportError, AttributeError) as error:
        raise InvalidRequest(
            f"the {kind} for {entry_point.name}: cannot be loaded; install what {_package_of(entry_point)} needs "
            f"({error})",
            pointer=pointer,
        ) from error


def _entry_point(url: str, group: str, kind: str, pointer: str) -> EntryPoint:
    found = () if is_server_url(url) else tuple(_installed(group).select(name=scheme_of(url)))
    if not found:
        known = ", ".join(f"{scheme}:" for scheme in sorted(_installed(group).names))
        raise InvalidRequest(f"must start with one of {known}, not {url!r}", pointer=pointer)
    if len(found) > 1:
        packages = " and ".join(sorted(map(_package_of, found)))
        raise InvalidRequest(f"{packages} each bring {_an(kind)} for {found[0].name}: - keep one", pointer=pointer)
    return found[0]


def _an(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _package_of(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist is not None else entry_point.module
