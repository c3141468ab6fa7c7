"""Settings: command-line flags override ``INDELIBLE_*`` variables, those override a TOML file, that the defaults.

Imports nothing heavy: every command loads this.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec

from indelible.errors import InvalidRequest
from indelible.groups import Start
from indelible.keys import check_token
from indelible.limits import SHUTDOWN_GRACE_S, VERIFY_EVERY_H_MAX, WORKERS_MAX
from indelible.partition_keys import PartitionKeys
from indelible.queries import EventQuery
from indelible.relay_state import OnRefusal, check_relay
from indelible.search import FieldType, check_fields
from indelible.server.access_settings import AccessSettings, check_access
from indelible.server.network_settings import LimitSettings, TlsSettings, check_addresses, check_limits, check_tls
from indelible.store_urls import (
    check_server_url,
    engine_schemes,
    index_schemes,
    is_api_url,
    is_engine_url,
    is_index_url,
)

LogFormat = Literal["auto", "console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

CONFIG_FILE_DEFAULT: Final = "indelible.toml"
"""Read from the working directory when it is there and no other file is named."""
CONFIG_VARIABLE: Final = "INDELIBLE_CONFIG"
ESDB_ADDRESS_DEFAULT: Final = "127.0.0.1:2113"
"""The port is the one that its clients take unless they are told."""
ESDB_POINTER: Final = "/wire/esdb/address"


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


class OtelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is sent over OTLP: the table ``[otel]`` of the TOML file."""

    endpoint: str | None = None
    """URL of the collector, such as http://127.0.0.1:4318; unless it is given OTEL_EXPORTER_OTLP_ENDPOINT, or that."""
    service_name: str | None = None
    """Unless it is given OTEL_SERVICE_NAME, or "indelible"."""
    sample_ratio: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    """Which part of the requests is traced whose callers do not say; of the others it is as they say. Unless it is
    given OTEL_TRACES_SAMPLER_ARG, or 0.01."""
    traces: bool = True
    metrics: bool = True


class EsdbSettings(msgspec.Struct, frozen=True):
    """Where clients of KurrentDB and EventStoreDB are served: the table ``[wire.esdb]`` of the TOML file."""

    address: Address
    advertised: Address | None = None
    """What clients that ask for the cluster's members are told; never with port 0. Unless it is given, the address that
    they asked."""


class WireSettings(msgspec.Struct, frozen=True):
    """Other systems' APIs that the server offers: tables ``[wire.NAME]`` of the TOML file."""

    esdb: EsdbSettings | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting, checked."""

    store: str = "sqlite:data/indelible.db"
    """Store URL: where a server, or a command without ``url``, keeps its events. `?partitions=P` makes a store of P
    partitions, and so do several URLs with spaces between them: their number and order stay as they are when it is
    made."""
    partition_keys: Mapping[str, str] | None = None
    """Of a store of several partitions: what the partition of an aggregate follows from, a table `[partition_keys]` of
    aggregate types, and "*" for all others: a text, in which `{aggregate_id}` or `{aggregate_id:SEPARATOR}` may stand
    (the latter for what comes before the separator). Aggregates with one key lie together, and can be appended to
    atomically. Without it each aggregate is by itself. It stays as it is when the store is made. In the TOML file
    alone."""
    url: str | None = None
    """A server that commands talk to instead of opening ``store``. ``serve`` does not use it."""
    http: Address = Address("127.0.0.1", 8080)
    """HOST:PORT where the server listens; port 0 lets the system choose one."""
    grpc: Address | None = None
    """HOST:PORT where the API over gRPC listens; not offered unless given. Needs the packages of `indelible[grpc]`."""
    wire: WireSettings = WireSettings()
    """Other systems' APIs, a table `[wire.esdb]` for the clients of KurrentDB and EventStoreDB: `address`, HOST:PORT,
    unless it is given 127.0.0.1:2113, and `advertised`, the HOST:PORT that is told to clients which ask for the members
    of a cluster, unless it is given the one that they asked. In the TOML file alone; not offered without it. Needs a
    store of one partition, and the packages of `indelible[esdb]`."""
    workers: int = 1
    """Processes that serve on the same ports. More than one needs a store that several processes may write."""
    log_format: LogFormat = "auto"
    """ "console" for people, "json" for machines: one object a line; "auto" is "console" on a terminal, else "json"."""
    log_level: LogLevel = "info"
    """ "debug", "info", "warning" or "error"; less is not logged."""
    access_log: bool = False
    """Whether every request is logged, and not just those that fail or are slow."""
    verify_every_h: float = 0.0
    """How often the server verifies the whole log beside the requests, at a tenth of a core's time: when it has
    started, then every so many hours. 0: never."""
    shutdown_grace_s: float = float(SHUTDOWN_GRACE_S)
    """How long a stopping server waits for what is in flight."""
    drain_delay_s: float = 0.0
    """How long it serves on before that, while /readyz is 503 already: as long as a load balancer takes to notice."""
    insecure: bool = False
    """true lets the server listen on addresses that other machines reach without a table `[access]` or `[tls]`."""
    tls: TlsSettings | None = None
    """TLS for all ports, a table `[tls]`: the files `certificate` and `key`, and if need be `client_ca`, which
    certifies callers, and `minimum_version` ("1.3", or "1.2"). In the TOML file alone. Files that change are taken up
    by themselves."""
    limits: LimitSettings | None = None
    """What each principal may do at most, a table `[limits]`: `requests_per_s`, `events_per_s`, `connections`,
    `subscriptions`; a table `[limits.principals.NAME]` for one that may do more, or less. In the TOML file alone. Each
    process counts for itself. Where nobody has to say who it is, each remote address counts as a principal."""
    tls_ca: str | None = None
    """Of commands that talk to a server: a file with the certificates to trust, in place of the system's."""
    tls_certificate: str | None = None
    """Of commands that talk to a server: a file with the certificate to show it."""
    tls_key: str | None = None
    """That certificate's key; in the same file unless it is given."""
    relays: Mapping[str, RelaySettings] = {}
    """Relays that the server runs, a table `[relays.NAME]` each: `to`, and if need be `event_types`, `aggregate_types`,
    `tags`, `start` and `on_refusal`. In the TOML file alone. They need a store of one partition."""
    index: IndexSettings | None = None
    """The query index, a table `[index]`: its `store` (`memory:`, `sqlite:PATH`, `postgresql://…`,
    `dynamodb://REGION/TABLE`, or `opensearch://HOST:PORT/PREFIX` and likewise `elasticsearch://`, both also with
    `+https`; unless it is given a file beside a SQLite store, a schema beside a store in PostgreSQL), and a table
    `[index.fields]` of paths and types, such as `"event_data.total" = "number"`. In the TOML file alone. Without it
    there is no index, and no search."""
    access: AccessSettings | None = None
    """Access control, a table `[access]`: `keys` (true unless it is given), a table `[access.jwt]` (`issuer`,
    `audience`, one of `jwks_url`, `jwks_file` and `secret_file`, and if need be `algorithms`, `grants_claim` and
    `principal_claim`), and a table `[access.certificates]` (grants by the name in a client's certificate). In the TOML
    file alone. Without it nobody has to say who it is, and everybody may do everything."""
    token: str | None = None
    """What commands show to the server to say who they are: a key, or another token that it takes."""
    otel: OtelSettings | None = None
    """Traces and metrics over OTLP (OpenTelemetry), a table `[otel]`: `endpoint`, `service_name`, `sample_ratio`,
    `traces`, `metrics`; an empty one will do. In the TOML file alone. What it does not say the standard `OTEL_*`
    variables may. Needs the packages of `indelible[otel]`."""

    def with_esdb_at(self, address: Address) -> "Settings":
        """The same where clients of KurrentDB and EventStoreDB are served there, also if they were not yet."""
        esdb = msgspec.structs.replace(self.wire.esdb or EsdbSettings(address), address=address)
        return msgspec.structs.replace(self, wire=WireSettings(esdb))


def esdb_url(settings: Settings) -> str | None:
    """What clients of KurrentDB and EventStoreDB connect to; None when that is not offered."""
    if settings.wire.esdb is None:
        return None
    return f"esdb://{settings.wire.esdb.address}?tls={'false' if settings.tls is None else 'true'}"


class Source(NamedTuple):
    """Where a setting's value comes from; the higher rank wins."""

    rank: int
    name: str
    """ "--http", "INDELIBLE_HTTP", the TOML file's path or "default"."""


FROM_FILE: Final = 1
FROM_ENVIRONMENT: Final = 2
FROM_FLAG: Final = 3
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
    context: tuple[str, Mapping[str, object]] | None = None,
) -> LoadedSettings:
    """Gather and check the settings.

    ``flags`` are by setting name; None stands for a flag that was not given. ``context``: what flags alone override,
    and what that is called. Raises :class:`InvalidRequest` whose
    message names the setting, what is allowed and the source, with the fields ``pointer`` and ``source``.
    """
    environ = os.environ if environ is None else environ
    file = _find_file(config_file, environ)
    if file is not None:
        _check_names(file)
    given = _given(file, environ, flags or {}, context)
    settings = Settings(**{name: _checked(name, one) for name, one in given.items()})
    return LoadedSettings(settings, {name: given[name].source if name in given else _DEFAULT for name in NAMES})


def find_bad_settings(
    *,
    environ: Mapping[str, str] | None = None,
    config_file: str | os.PathLike[str] | None = None,
    check_sink: Callable[[str, RelaySettings], None] | None = None,
) -> list[InvalidRequest]:
    """All that :func:`load_settings` would refuse, one after the other, without flags; and what ``check_sink`` does."""
    environ = os.environ if environ is None else environ
    try:
        file = _find_file(config_file, environ)
        given = _given(file, environ, {})
    except InvalidRequest as error:
        return [error]
    found = [] if file is None else _unknown_names(file)
    good: dict[str, Any] = {}
    for name, one in given.items():
        try:
            good[name] = _checked(name, one)
        except InvalidRequest as error:
            found.append(error)
    try:
        check_addresses(Settings(**good))
    except InvalidRequest as error:
        found.append(error)
    for name, relay in good.get("relays", {}).items():
        try:
            if check_sink is not None:
                check_sink(name, relay)
        except InvalidRequest as error:
            found.append(InvalidRequest(error.message, pointer=error.pointer, source=given["relays"].source.name))
    return found


def config_file_of(
    config_file: str | os.PathLike[str] | None = None, *, environ: Mapping[str, str] | None = None
) -> Path | None:
    """The file that settings come from. Raises ``InvalidRequest`` for one that is named and is not there."""
    return _find_file(config_file, os.environ if environ is None else environ)


def _given(
    file: Path | None,
    environ: Mapping[str, str],
    flags: Mapping[str, object],
    context: tuple[str, Mapping[str, object]] | None = None,
) -> "dict[str, _Given]":
    given = ({} if file is None else _from_file(file)) | _from_environment(environ)
    if context is not None:
        source = Source(FROM_ENVIRONMENT, context[0])
        given |= {name: _Given(value, source) for name, value in context[1].items()}
    return given | _from_flags(flags)


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


def _read_table(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"cannot read {file}: {error}", pointer="/config", source=str(file)) from None


def _unknown_names(file: Path) -> list[InvalidRequest]:
    return [
        InvalidRequest(
            f"{file}: unknown setting {name!r}; allowed are {', '.join(NAMES)}", pointer=f"/{name}", source=str(file)
        )
        for name in _read_table(file)
        if name not in NAMES
    ]


def _check_names(file: Path) -> None:
    for error in _unknown_names(file):
        raise error


def _from_file(file: Path) -> dict[str, _Given]:
    source = Source(FROM_FILE, str(file))
    return {name: _Given(value, source) for name, value in _read_table(file).items() if name in NAMES}


def _from_environment(environ: Mapping[str, str]) -> dict[str, _Given]:
    # An empty variable is how shells and compose files say "not set". Unknown INDELIBLE_ variables are let be:
    # Kubernetes makes some for a service of that name.
    found = {name: environ.get(variable_of(name)) for name in NAMES}
    return {name: _Given(value, Source(FROM_ENVIRONMENT, variable_of(name))) for name, value in found.items() if value}


def _from_flags(flags: Mapping[str, object]) -> dict[str, _Given]:
    return {name: _Given(value, Source(FROM_FLAG, flag_of(name))) for name, value in flags.items() if value is not None}


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
    if is_api_url(value):
        raise ValueError("the address of a server alone, without /v1")
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


def _wire(value: object) -> WireSettings:
    if not isinstance(value, dict) or not all(isinstance(table, dict) for table in value.values()):
        raise ValueError("tables [wire.NAME] of a TOML file")
    if unknown := sorted(value.keys() - {"esdb"}):
        raise InvalidRequest(f"wire: unknown table {unknown[0]!r}; allowed is esdb", pointer=f"/wire/{unknown[0]}")
    return WireSettings(_esdb(value["esdb"])) if "esdb" in value else WireSettings()


def _esdb(table: Mapping[str, object]) -> EsdbSettings:
    given = {"address": ESDB_ADDRESS_DEFAULT, **table}
    addresses: dict[str, Address] = {}
    for name, text in given.items():
        pointer = f"/wire/esdb/{name}"
        if name not in ("address", "advertised"):
            raise InvalidRequest(
                f"wire.esdb: unknown setting {name!r}; allowed are address, advertised", pointer=pointer
            )
        try:
            addresses[name] = _address(text)
        except ValueError as error:
            raise InvalidRequest(f"wire.esdb.{name} must be {error}, not {text!r}", pointer=pointer) from None
    if "advertised" in addresses and not addresses["advertised"].port:
        raise InvalidRequest("wire.esdb.advertised must have a port", pointer="/wire/esdb/advertised")
    return EsdbSettings(**addresses)


def _token(value: object) -> str:
    """Its error does not show it."""
    try:
        return check_token(value)
    except InvalidRequest as error:
        raise InvalidRequest(f"token: {error.message}", pointer="/token") from None


def _one_of(*allowed: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        raise ValueError(f"one of {', '.join(allowed)}")

    return check


def _number_of(unit: str, maximum: int) -> Callable[[object], float]:
    def check(value: object) -> float:
        problem = ValueError(f"a number of {unit} from 0 to {maximum}")
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise problem
        try:
            number = float(value)
        except ValueError:
            raise problem from None
        if not 0 <= number <= maximum:
            raise problem
        return number

    return check


def _otel(value: object) -> OtelSettings:
    """Its error does not show the table: the URL may hold a password."""
    if not isinstance(value, dict):
        raise ValueError("a table [otel] of a TOML file")  # noqa: TRY004 - as of all checks here
    try:
        otel = msgspec.convert(value, OtelSettings)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"otel: {error}", pointer="/otel") from None
    if otel.endpoint is not None and not re.match(r"https?://[^/]", otel.endpoint):
        raise InvalidRequest("otel.endpoint: must be a URL such as http://127.0.0.1:4318", pointer="/otel/endpoint")
    return otel


def _bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("1", "true", "0", "false"):
        return value.lower() in ("1", "true")
    raise ValueError("true or false")


def _path(value: object) -> str:
    if isinstance(value, str) and value:
        return value
    raise ValueError("the name of a file")


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


def _partition_keys(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError("a table [partition_keys] of a TOML file")  # noqa: TRY004 - as of all checks here
    try:
        return PartitionKeys(1, value).configured
    except InvalidRequest as error:
        raise InvalidRequest(f"partition_keys: {error.pointer} {error.message}", pointer=error.pointer) from None


_CHECKS: Final[Mapping[str, Callable[[object], Any]]] = {
    "store": _store,
    "url": _url,
    "http": _address,
    "grpc": _address,
    "wire": _wire,
    "workers": _workers,
    "log_format": _one_of("auto", "console", "json"),
    "log_level": _one_of("debug", "info", "warning", "error"),
    "access_log": _bool,
    "verify_every_h": _number_of("hours", VERIFY_EVERY_H_MAX),
    "shutdown_grace_s": _number_of("seconds", 3600),
    "drain_delay_s": _number_of("seconds", 3600),
    "insecure": _bool,
    "tls": check_tls,
    "limits": check_limits,
    "tls_ca": _path,
    "tls_certificate": _path,
    "tls_key": _path,
    "partition_keys": _partition_keys,
    "relays": _relays,
    "index": _index,
    "access": check_access,
    "token": _token,
    "otel": _otel,
}
NAMES: Final = tuple(_CHECKS)
"""Every setting, in the order in which they are shown."""
