"""What the URL of a Cassandra keyspace says: ``cassandra://user:password@host1,host2:9042/keyspace?…``."""

import re
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote

import msgspec

from indelible.errors import InvalidRequest
from indelible.limits import CASSANDRA_HOSTS_MAX
from indelible.store_urls import STORE_SCHEMA_DEFAULT

PORT_DEFAULT: Final = 9042

Consistency = Literal["QUORUM", "LOCAL_QUORUM"]

_HOST: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:(?P<port>[0-9]{1,5}))?")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_OPTIONS: Final = ("consistency", "datacenter", "store")


class Address(msgspec.Struct, frozen=True):
    """A keyspace of a cluster, and which store of those that it may hold."""

    hosts: tuple[str, ...]
    """Some of the cluster's nodes; they tell of the others."""
    port: int
    keyspace: str
    """A lower-case name that needs no quotes, as ``store`` is."""
    store: str
    consistency: Consistency
    """``LOCAL_QUORUM`` makes do with the nodes of one datacenter, for what is serial too. Then every server that
    appends has to be in that one: a head that two datacenters moved without asking each other is two logs."""
    datacenter: str | None
    """Whose nodes are asked; None: that of the first node that answers."""
    user: str | None
    password: str | None

    def log(self, number: int) -> str:
        """The name of a partition of the store, from 0: the first part of every key in the tables."""
        return f"{self.store}/{number}"

    @property
    def of_cluster(self) -> "Address":
        """The part that says how the cluster is reached: the same for all stores in a keyspace."""
        return msgspec.structs.replace(self, store="")

    def __repr__(self) -> str:
        return f"Address({','.join(self.hosts)}:{self.port}/{self.keyspace}, {self.store})"


def parse_address(url: str) -> Address:
    """Take a URL ``cassandra://user:password@host1,host2:9042/keyspace?…`` apart.

    Options: ``store`` (its name in the keyspace, which may hold several), ``datacenter``, ``consistency`` (QUORUM or
    LOCAL_QUORUM). Raises :class:`InvalidRequest`.
    """
    scheme_and_rest, _, query = url.partition("?")
    rest = scheme_and_rest.partition("://")[2]
    at, _, path = rest.partition("/")
    login, _, hosts = at.rpartition("@")
    if not hosts or not path or "#" in url:
        raise _refused("must be like cassandra://HOST1,HOST2:9042/KEYSPACE?partitions=16")
    names, port = _parse_hosts(hosts)
    user, password = _parse_login(login)
    options = _parse_options(query)
    return Address(
        hosts=names,
        port=port,
        keyspace=_checked_name("the keyspace", path),
        store=_checked_name("the parameter store", options.get("store", STORE_SCHEMA_DEFAULT)),
        consistency=_parse_consistency(options.get("consistency", "QUORUM")),
        datacenter=options.get("datacenter"),
        user=user,
        password=password,
    )


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest(message, pointer="/store")


def _parse_hosts(text: str) -> tuple[tuple[str, ...], int]:
    """The names, and the port that those share which have one."""
    found = [_HOST.fullmatch(one) for one in text.split(",")]
    if len(found) > CASSANDRA_HOSTS_MAX:
        raise _refused(f"names {len(found)} hosts; at most {CASSANDRA_HOSTS_MAX}: they tell of the others")
    names, ports = [], set()
    for one, match in zip(text.split(","), found, strict=True):
        if match is None:
            raise _refused(f'{one!r} is not a host, or a host and a port such as "cassandra1:9042"')
        names.append(match["host"].strip("[]"))
        if match["port"]:
            ports.add(int(match["port"]))
    if len(ports) > 1 or not all(0 < port < 65_536 for port in ports):
        raise _refused("the hosts must share one port, from 1 to 65535: all nodes of a cluster have the same")
    return tuple(dict.fromkeys(names)), ports.pop() if ports else PORT_DEFAULT


def _parse_login(text: str) -> tuple[str | None, str | None]:
    if not text:
        return None, None
    user, colon, password = text.partition(":")
    if not user or not colon:
        raise _refused("before the @ must stand USER:PASSWORD, each percent-encoded")
    return unquote(user), unquote(password)


def _parse_options(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        raise _refused(f"has the parameter {unknown[0]!r}; known are {', '.join(_OPTIONS)}")
    if len(options) < len(pairs) or not all(options.values()):
        raise _refused("each parameter must stand there once, with a value")
    return options


def _checked_name(what: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise _refused(f'{what} must be a lower-case name of at most 40 letters, digits and "_", not {name!r}')
    return name


def _parse_consistency(text: str) -> Consistency:
    for known in ("QUORUM", "LOCAL_QUORUM"):
        if text.upper() == known:
            return known
    raise _refused(f"the parameter consistency must be QUORUM or LOCAL_QUORUM, not {text!r}")
