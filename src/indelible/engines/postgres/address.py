"""Where a PostgreSQL store is: what its URL says."""

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict

from indelible.errors import InvalidRequest
from indelible.limits import DATABASE_CONNECT_TIMEOUT_S, DATABASE_TIMEOUT_S

SCHEMA_DEFAULT: Final = "indelible"
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,39}")
_APPLICATION_NAME: Final = "indelible"

_KEEPALIVES_IDLE_S: Final = 5
_KEEPALIVES_INTERVAL_S: Final = 2
_KEEPALIVES_COUNT: Final = 3


class Address(msgspec.Struct, frozen=True):
    """A database, a schema in it, and what is asked for by name."""

    conninfo: dict[str, str | int]
    """What libpq takes."""
    schema: str
    """Holds one store. A lower-case name that needs no quotes."""
    may_lose_commits: bool
    """Whether ``synchronous_commit=off`` was asked for: a crash of the database may then take acknowledged events."""


def parse_address(url: str) -> Address:
    """Take a URL ``postgresql://user@host:port/database?schema=NAME&synchronous_commit=off&…`` apart.

    ``schema`` and ``synchronous_commit`` are ours; all else is libpq's, which also reads its environment variables and
    password file. Raises :class:`InvalidRequest`.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    schema = options.pop("schema", SCHEMA_DEFAULT)
    if not _SCHEMA.fullmatch(schema) or schema.startswith("pg_"):
        raise InvalidRequest(
            'the parameter schema must be a lower-case name of at most 40 letters, digits and "_"', pointer="/store"
        )
    commit = options.pop("synchronous_commit", "on")
    if commit not in ("on", "off"):
        raise InvalidRequest('the parameter synchronous_commit must be "on" or "off"', pointer="/store")
    try:
        given = conninfo_to_dict(urlunsplit(parts._replace(query=urlencode(options))))
    except psycopg.Error as error:
        message = f"is not the URL of a PostgreSQL database: {str(error).strip()}"
        raise InvalidRequest(message, pointer="/store") from None
    return Address({**_DEFAULTS, **{name: value for name, value in given.items() if value}}, schema, commit == "off")


_DEFAULTS: Final[dict[str, str | int]] = {
    "application_name": _APPLICATION_NAME,
    "connect_timeout": DATABASE_CONNECT_TIMEOUT_S,
    # Of several hosts, the one that takes writes: after a failover that is another than before.
    "target_session_attrs": "read-write",
    # A host that is gone says nothing: these find it out.
    "tcp_user_timeout": DATABASE_TIMEOUT_S * 1000,
    "keepalives": 1,
    "keepalives_idle": _KEEPALIVES_IDLE_S,
    "keepalives_interval": _KEEPALIVES_INTERVAL_S,
    "keepalives_count": _KEEPALIVES_COUNT,
}
