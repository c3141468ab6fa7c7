"""What the URL of an index in DynamoDB names."""

import re
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

from indelible.errors import InvalidRequest

_REGION: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
_TABLE: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}")


class Target(NamedTuple):
    region: str
    table: str
    endpoint: str | None
    """URL of the service, where it is not Amazon's own."""

    @classmethod
    def of(cls, url: str) -> Self:
        """``dynamodb://REGION/TABLE?endpoint=URL``. Raises ``InvalidRequest``."""
        try:
            parts = urlsplit(url)
            given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError as error:
            raise _bad(f"is no URL: {error}") from None
        endpoint = given.pop("endpoint", None)
        if given:
            raise _bad(f"has an unknown parameter, {next(iter(given))}; there is endpoint")
        if "@" in parts.netloc:
            raise _bad("must not hold credentials: give them in the environment, as to AWS's own tools")
        if parts.fragment or not _REGION.fullmatch(parts.netloc):
            raise _bad("must be like dynamodb://REGION/TABLE, with a region such as eu-central-1")
        table = parts.path.removeprefix("/")
        if not _TABLE.fullmatch(table):
            raise _bad("must name a table: 3 to 255 letters, digits, and _ . -")
        if endpoint is not None and not _is_endpoint(endpoint):
            raise _bad("must have for endpoint the URL of the service, such as http://127.0.0.1:8000")
        return cls(parts.netloc, table, endpoint)

    def __str__(self) -> str:
        return f"{self.table} in {self.region}" + (f" at {self.endpoint}" if self.endpoint else "")


def _is_endpoint(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_good and parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc


def _bad(message: str) -> InvalidRequest:
    return InvalidRequest(message, pointer="/index/store")
