"""Settings of a server on a network: the tables ``[tls]`` and ``[limits]`` of the TOML file, and which addresses it may
have without the first.

Imports nothing heavy: every command loads this.
"""

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import msgspec

from indelible.errors import InvalidRequest

if TYPE_CHECKING:
    from indelible.server.config import Settings


class TlsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the server shows callers, and asks of them: the table ``[tls]``, for all ports."""

    certificate: str
    """A file in PEM: the server's certificate, and those between it and its CA."""
    key: str | None = None
    """The certificate's key, in PEM and not encrypted; in the certificate's file unless it is given."""
    client_ca: str | None = None
    """Certificates of those who certify callers. A caller may show a certificate then, and need not."""
    minimum_version: Literal["1.2", "1.3"] = "1.3"


class PrincipalLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one principal may do at most, in each process of the server. What is not given is not bounded."""

    requests_per_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    events_per_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """Events that it appends."""
    connections: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """That are open, from its first request on each."""
    subscriptions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """That are open: of the feed, and as a group's member on a stream."""


class LimitSettings(PrincipalLimit, frozen=True, forbid_unknown_fields=True):
    """The table ``[limits]``: for each principal, and ``principals`` for those that have others, by name."""

    principals: Mapping[str, PrincipalLimit] = {}

    def of(self, principal: str) -> PrincipalLimit:
        """Those that hold for a principal: its own, and for what these do not say, those for all."""
        own = self.principals.get(principal)
        if own is None:
            return self
        given = {name: value for name, value in msgspec.structs.asdict(own).items() if value is not None}
        return PrincipalLimit(
            **{name: given.get(name, getattr(self, name)) for name in PrincipalLimit.__struct_fields__}
        )


def check_tls(value: object) -> TlsSettings:
    return _converted(value, TlsSettings, "tls")


def check_limits(value: object) -> LimitSettings:
    return _converted(value, LimitSettings, "limits")


_T = TypeVar("_T")


def _converted(value: object, kind: type[_T], name: str) -> _T:
    if not isinstance(value, dict):
        raise ValueError(f"a table [{name}] of a TOML file")  # noqa: TRY004 - as of all checks of settings
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        problem, _, at = str(error).partition(" - at `$")
        path = at.removesuffix("`")
        raise InvalidRequest(f"{name}{path}: {problem}", pointer=f"/{name}{path.replace('.', '/')}") from None


# --- Which addresses may be had --------------------------------------------------------------------------------------


def check_addresses(settings: "Settings") -> None:
    """Raises ``InvalidRequest`` for an address that others than this machine may reach, unless they have to say who
    they are, and nobody between can read along or change anything; or unless ``insecure`` says that it is meant."""
    tables = {"[access]": settings.access, "[tls]": settings.tls}
    missing = [name for name, table in tables.items() if table is None]
    if settings.insecure or not missing:
        return
    esdb = settings.wire.esdb
    addresses = {
        "http": settings.http,
        "grpc": settings.grpc,
        "wire/esdb/address": None if esdb is None else esdb.address,
    }
    for setting, address in addresses.items():
        if address is not None and not _is_loopback(address.host):
            raise InvalidRequest(
                f"other machines can reach {address}, and the configuration has no {' and no '.join(missing)} to keep "
                f"them out. Add {'it' if len(missing) == 1 else 'them'}, or listen on 127.0.0.1, or say by --insecure "
                "(INDELIBLE_INSECURE=true) that a proxy or a network of your own keeps others out",
                pointer=f"/{setting}",
            )


def _is_loopback(host: str) -> bool:
    """A name that is not an address may lead anywhere, but for the one that always leads here."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
