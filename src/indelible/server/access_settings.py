"""The table ``[access]``: whether callers have to say who they are, and how they may."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from indelible.errors import InvalidRequest
from indelible.keys import check_grants

USUAL: Final = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
ASYMMETRIC: Final = (*USUAL, "RS384", "RS512", "PS384", "PS512", "ES384", "ES512")
SYMMETRIC: Final = ("HS256", "HS384", "HS512")
"""Only with a secret that is configured, and then no others: a token must not choose what its signature means."""
_LOOPBACK: Final = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|::1")


class JwtSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which JWTs are taken: the table ``[access.jwt]``."""

    issuer: str
    """What a token's ``iss`` must be."""
    audience: str
    """What a token's ``aud`` must be, or hold."""
    jwks_url: str | None = None
    """Where the issuer's keys are: https, or http on loopback. One of the three is given."""
    jwks_file: str | None = None
    """A file with them. It may change."""
    secret_file: str | None = None
    """A file with a secret of at least 32 bytes that issuer and server share."""
    algorithms: tuple[str, ...] = ()
    """Signatures that are taken; unless given RS256, PS256, ES256, EdDSA and Ed25519, with a secret HS256."""
    grants_claim: str = "grants"
    """The claim that holds grants: a list, or text with spaces in between. What is no grant in it is passed over."""
    principal_claim: str = "sub"
    """The claim that says who it is."""


class AccessSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How callers may say who they are: the table ``[access]``."""

    keys: bool = True
    """Whether keys are taken, which ``indelible key create`` makes."""
    jwt: JwtSettings | None = None
    certificates: Mapping[str, tuple[str, ...]] = {}
    """Grants by the name in a client's certificate."""


def check_access(value: object) -> AccessSettings:
    """Raises ``InvalidRequest`` that names the field; ``ValueError`` for what is no table."""
    if not isinstance(value, dict):
        raise ValueError("a table [access] of a TOML file")  # noqa: TRY004 - as of all checks of settings
    try:
        access = msgspec.convert(value, AccessSettings)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"access: {error}", pointer="/access") from None
    for name, grants in access.certificates.items():
        try:
            check_grants(grants, f"/access/certificates/{name}")
        except InvalidRequest as error:
            raise InvalidRequest(f"access.certificates.{name}: {error.message}", pointer=error.pointer) from None
    if not (access.keys or access.jwt or access.certificates):
        raise InvalidRequest("access: one of keys, jwt and certificates is needed", pointer="/access")
    if access.jwt is not None:
        access = msgspec.structs.replace(access, jwt=_checked_jwt(access.jwt))
    return access


def _checked_jwt(jwt: JwtSettings) -> JwtSettings:
    if sum(one is not None for one in (jwt.jwks_url, jwt.jwks_file, jwt.secret_file)) != 1:
        raise _refusal("jwks_url", "exactly one of jwks_url, jwks_file and secret_file is needed")
    for name in ("issuer", "audience", "grants_claim", "principal_claim"):
        if not getattr(jwt, name):
            raise _refusal(name, "must not be empty")
    if jwt.jwks_url is not None:
        _check_url(jwt.jwks_url)
    allowed, usual = (SYMMETRIC, ("HS256",)) if jwt.secret_file else (ASYMMETRIC, USUAL)
    for algorithm in jwt.algorithms:
        if algorithm not in allowed:
            kind = "a secret" if jwt.secret_file else "keys of an issuer"
            raise _refusal("algorithms", f"with {kind} must be some of {', '.join(allowed)}, not {algorithm!r}")
    return msgspec.structs.replace(jwt, algorithms=jwt.algorithms or usual)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host, parts = "", urlsplit("")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _LOOPBACK.fullmatch(host))):
        raise _refusal("jwks_url", "must begin with https://, or with http:// and a loopback address")


def _refusal(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"access.jwt.{name}: {message}", pointer=f"/access/jwt/{name}")
