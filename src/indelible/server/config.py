"""Settings: command-line flags override ``INDELIBLE_*`` variables, those override a TOML file, that the defaults.

Imports nothing heavy: every command loads this.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec

from indelible.errors import InvalidRequest
from indelible.groups import Start
from indelible.limits import SHUTDOWN_GRACE_S, WORKERS_MAX
from indelible.queries import EventQuery
from indelible.relay_state import OnRefusal, check_relay
from indelible.search import FieldType, check_fields
from indelible.store_urls import check_server_url, engine_schemes, index_schemes, is_engine_url, is_index_url

LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

CONFIG_FILE_DEFAULT: Final = "indelible.toml"
"""Read from the working directory when it is there and no other file is named."""
CONFIG_VARIABLE: Final = "INDELIBLE_CONFIG"


class Address(NamedTuple):
    """Where a server listens. ``host`` is without the brackets of an IPv6 address; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class RelaySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A relay that the server runs: a table ``[relays.NAME]`` of the TOML file."""

    to: str
    """URL of the broker."""
    event_types: tuple[str, ...] = ()
    aggregate_types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """As in the feed: any of the types, all of the tags; none restricts nothing."""
    start: Start = "beginning"
    """Where it begins when it is new: "beginning" or "end"."""
    on_refusal: OnRefusal = "stop"
    """What it does about an event that the broker will never take: "stop" or "set_aside"."""


class IndexSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query index that the server keeps: the table ``[index]`` of the TOML file."""

    store: str | None = None
    """URL of the index; unless it is given a file beside a SQLite store, and a schema beside one in PostgreSQL."""
    fields: Mapping[str, FieldType] = {}
    """Declared fields: path and type."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting, checked."""

    store: str = "sqlite:data/indelible.db"
    """Store URL: where a server, or a command without ``url``, keeps its events."""
    url: str | None = None
    """A server that commands talk to instead of opening ``store``. ``serve`` does not use it."""
    http: Address = Address("127.0.0.1", 8080)
    """HOST:PORT where the server listens; port 0 lets the system choose one."""
    grpc: Address | None = None
    """HOST:PORT where the API over gRPC listens; not offered unless given. Needs the packages of `indelible[grpc]`."""
    workers: int = 1
    """Processes that serve on the same ports. More than one needs a store that several processes may write."""
    log_format: LogFormat = "console"
    """ "console" for people, "json" for machines: one object a line."""
    log_level: LogLevel = "info"
    """ "debug", "info", "warning" or "error"; less is not logged."""
    shutdown_grace_s: float = float(SHUTDOWN_GRACE_S)
    """How long a stopping server waits for what is in flight."""
    relays: Mapping[str, RelaySettings] = {}
    """Relays that the server runs, a table `[relays.NAME]` each: `to`, and if need be `event_types`, `aggregate_types`,
    `tags`, `start` and `on_refusal`. In the TOML file alone."""
    index: IndexSettings | None = None
    """The query index, a table `[index]`: its `store` (`memory:`, `sqlite:PATH`, `postgresql://…`,
    `dynamodb://REGION/TABLE`, or `opensearch://HOST:PORT/PREFIX` and likewise `elasticsearch://`, both also with
    `+https`; unless it is given a file beside a SQLite store, a schema beside a store in PostgreSQL), and a table
    `[index.fields]` of paths and types, such as `"event_data.total" = "number"`. In the TOML file alone. Without it
    there is no index, and no search."""


class Source(NamedTuple):
    """Where a setting's value comes from; the higher rank wins."""

    rank: int
    name: str
    """ "--http", "INDELIBLE_HTTP", the TOML file's path or "default"."""


_DEFAULT: Final = Source(0, "default")


class LoadedSettings(NamedTuple):
    settings: Settings
    sources: Mapping[str, Source]
    """By setting."""

    @property
    def url_for_commands(self) -> str | None:
        """The server that commands talk to; None when they open ``store``, because no ``url`` is given or because
        ``store`` is given in a stronger place."""
        overridden = self.sources["store"].rank > self.sources["url"].rank
        return None if overridden else self.settings.url


class _Given(NamedTuple):
    value: object
    source: Source


def load_settings(
    flags: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    config_file: str | os.PathLike[str] | None = None,
) -> LoadedSettings:
    """Gather and check the settings.

    ``flags`` are by setting name; None stands for a flag that was not given. Raises :class:`InvalidRequest` whose
    message names the setting, what is allowed and the source, with the fields ``pointer`` and ``source``.
    """
    environ = os.environ if environ is None else environ
    file = _find_file(config_file, environ)
    given = ({} if file is None else _from_file(file)) | _from_environment(environ) | _from_flags(flags or {})
    settings = Settings(**{name: _checked(name, one) for name, one in given.items()})
    return LoadedSettings(settings, {name: given[name].source if name in given else _DEFAULT for name in NAMES})


def flag_of(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def variable_of(name: str) -> str:
    return f"INDELIBLE_{name.upper()}"


_SECRET: Final = re.compile(r"(://[^:@/]*:)[^/?]+(?=@)|([?&]password=)[^&]+")


def shown_url(url: str) -> str:
    """A store's URL as it may be shown and logged: without its password."""
    return _SECRET.sub(lambda found: f"{found[1] or found[2]}***", url)


# --- Where values come from ------------------------------------------------------------------------------------------


def _find_file(named: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> Path | None:
    path, source = named, "--config"
    if path is None:
        path, source = environ.get(CONFIG_VARIABLE) or None, CONFIG_VARIABLE
    if path is None:
        default = Path(CONFIG_FILE_DEFAULT)
        return default if default.is_file() else None
    if not Path(path).is_file():
        raise InvalidRequest(f"{source}: no such file: {path}", pointer="/config", source=source)
    return Path(path)


def _from_file(file: Path) -> dict[str, _Given]:
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"cannot read {file}: {error}", pointer="/config", source=str(file)) from None
    unknown = [name for name in table if name not in NAMES]
    if unknown:
        raise InvalidRequest(
            f"{file}: unknown setting {unknown[0]!r}; allowed are {', '.join(NAMES)}",
            pointer=f"/{unknown[0]}", source=str(file),
        )  # fmt: skip
    return {name: _Given(value, Source(1, str(file))) for name, value in table.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, _Given]:
    # An empty variable is how shells and compose files say "not set". Unknown INDELIBLE_ variables are let be:
    # Kubernetes makes some for a service of that name.
    found = {name: environ.get(variable_of(name)) for name in NAMES}
    return {name: _Given(value, Source(2, variable_of(name))) for name, value in found.items() if value}


def _from_flags(flags: Mapping[str, object]) -> dict[str, _Given]:
    return {name: _Given(value, Source(3, flag_of(name))) for name, value in flags.items() if value is not None}


# --- Checks ----------------------------------------------------------------------------------------------------------


def _checked(name: str, given: _Given) -> Any:
    try:
        return _CHECKS[name](given.value)
    except ValueError as error:
        raise InvalidRequest(
            f"{name} (from {given.source.name}) must be {error}, not {given.value!r}",
            pointer=f"/{name}", source=given.source.name,
        ) from None  # fmt: skip


def _store(value: object) -> str:
    if isinstance(value, str) and is_engine_url(value):
        return value
    known = ", ".join(f"{scheme}:" for scheme in engine_schemes())
    raise ValueError(f"a store URL such as sqlite:data/indelible.db, which starts with one of {known}")


def _url(value: object) -> str:
    problem = ValueError("the URL of a server such as http://127.0.0.1:8080 or grpc://127.0.0.1:9090")
    if not isinstance(value, str):
        raise problem
    try:
        return check_server_url(value)
    except InvalidRequest:
        raise problem from None


def _address(value: object) -> Address:
    if isinstance(value, str):
        host, _, port = value.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if bracketed:
            host = host[1:-1]
        if host and bracketed == (":" in host) and port.isascii() and port.isdigit() and int(port) <= 65535:
            return Address(host, int(port))
    raise ValueError("HOST:PORT such as 127.0.0.1:8080 or [::1]:8080, with a port from 0 to 65535")


def _one_of(*allowed: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        raise ValueError(f"one of {', '.join(allowed)}")

    return check


def _seconds(value: object) -> float:
    problem = ValueError("a number of seconds from 0 to 3600")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise problem
    try:
        seconds = float(value)
    except ValueError:
        raise problem from None
    if not 0 <= seconds <= 3600:
        raise problem
    return seconds


def _workers(value: object) -> int:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and text.isascii() and text.isdigit() and 1 <= int(text) <= WORKERS_MAX:
        return int(text)
    raise ValueError(f"a whole number from 1 to {WORKERS_MAX}")


def _relays(value: object) -> dict[str, RelaySettings]:
    if not isinstance(value, dict):
        raise ValueError("tables [relays.NAME] of a TOML file")  # noqa: TRY004 - as of all checks here
    return {name: _relay(name, table) for name, table in value.items()}


def _relay(name: str, table: object) -> RelaySettings:
    """Its error does not show the table: the broker's URL may hold a password."""
    pointer = f"/relays/{name}"
    try:
        check_relay(name)
        relay = msgspec.convert(table, RelaySettings)
        EventQuery.of(event_types=relay.event_types, aggregate_types=relay.aggregate_types, tags=relay.tags)
    except InvalidRequest as error:
        raise InvalidRequest(f"relays.{name}: {error.pointer} {error.message}", pointer=pointer) from None
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"relays.{name}: {error}", pointer=pointer) from None
    return relay


def _index(value: object) -> IndexSettings:
    if not isinstance(value, dict):
        raise ValueError("a table [index] of a TOML file")  # noqa: TRY004 - as of all checks here
    try:
        index = msgspec.convert({**value, "fields": {}}, IndexSettings)
        fields = check_fields(_by_path(value.get("fields", {}), ""), "/index/fields")
    except InvalidRequest as error:
        raise InvalidRequest(f"index.fields: {error.message}", pointer=error.pointer) from None
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"index: {error}", pointer="/index") from None
    if index.store is not None and not is_index_url(index.store):
        known = ", ".join(f"{scheme}:" for scheme in index_schemes())
        raise InvalidRequest(f"index.store: must start with one of {known}", pointer="/index/store")
    return msgspec.structs.replace(index, fields=fields)


def _by_path(table: object, path: str) -> dict[str, str]:
    """Fields by path: TOML takes a key with dots that is not quoted for tables within tables."""
    if not isinstance(table, dict):
        if isinstance(table, str) and path:
            return {path: table}
        raise InvalidRequest("must be the name of a type, in quotation marks", pointer=f"/index/fields/{path}")
    found: dict[str, str] = {}
    for name, inner in table.items():
        found |= _by_path(inner, f"{path}.{name}" if path else name)
    return found


_CHECKS: Final[Mapping[str, Callable[[object], Any]]] = {
    "store": _store,
    "url": _url,
    "http": _address,
    "grpc": _address,
    "workers": _workers,
    "log_format": _one_of("console", "json"),
    "log_level": _one_of("debug", "info", "warning", "error"),
    "shutdown_grace_s": _seconds,
    "relays": _relays,
    "index": _index,
}
NAMES: Final = tuple(_CHECKS)
"""Every setting, in the order in which they are shown."""
