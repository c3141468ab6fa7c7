"""JWTs (RFC 7519), as RFC 8725 wants them to be read: the server decides which signatures count, by which keys, and
what a token must say; a token decides nothing."""

import base64
import json
import math
import time
import warnings
from collections.abc import Awaitable, Mapping
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwt import JWTClaimsRegistry

from indelible.access import Grant, Principal
from indelible.errors import InvalidRequest, Unavailable
from indelible.events import check_name
from indelible.limits import GRANTS_MAX, JWT_LEEWAY_S, RETRY_AFTER_S, TOKEN_SIZE_BYTES_MAX
from indelible.server.access_settings import JwtSettings
from indelible.server.authentication.jwks import IssuerKey, IssuerKeys, make_issuer_keys
from indelible.server.authentication.known import Known, RefusedToken

_KINDS: Final = {"HS": "oct", "RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
"""The only kind of key that a signature is looked at with, by the beginning of its algorithm's name."""
# Many issuers still say so, and it is no weaker for its name.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)
_TYPES: Final = ("jwt", "at+jwt", "application/at+jwt", "application/jwt")


class UnknownKey(RefusedToken):
    """It names a key that the issuer did not have when its keys were fetched."""


class JwtReader:
    """Reads the tokens of one issuer."""

    def __init__(self, settings: JwtSettings, keys: IssuerKeys | None = None) -> None:
        self._settings: Final = settings
        self.keys: Final = make_issuer_keys(settings) if keys is None else keys
        self._claims: Final = JWTClaimsRegistry(
            leeway=JWT_LEEWAY_S,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.audience},
            exp={"essential": True},
        )
        self._registry: Final = jws.JWSRegistry(algorithms=list(settings.algorithms), strict_check_header=False)
        # Of the library, half a KiB. The whole token is bounded before.
        self._registry.max_header_length = TOKEN_SIZE_BYTES_MAX

    def read(self, token: str) -> Known | Awaitable[Known]:
        """What is known of a token, at once unless the issuer has to be asked for its keys. Raises
        :class:`RefusedToken`, and ``Unavailable`` while there are no keys."""
        try:
            known = self._read(token)
        except UnknownKey:
            return self._read_anew(token)
        return self._read_anew(token) if known.has_ended else known

    async def _read_anew(self, token: str) -> Known:
        await self.keys.look_soon()
        if self.keys.valid_until <= time.monotonic():
            raise Unavailable(self.keys.why_not_ready() or "tokens cannot be checked", retry_after_s=RETRY_AFTER_S)
        return self._read(token)

    def _read(self, token: str) -> Known:
        head = _head(token)
        key = self._key_of(head)
        try:
            signed = jws.deserialize_compact(token, key.key, registry=self._registry)
        except (JoseError, ValueError, TypeError) as error:
            raise RefusedToken(f"its signature does not hold ({type(error).__name__})") from None
        claims = _object(signed.payload)
        try:
            self._claims.validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise RefusedToken(f"its claims do not hold: {error}") from None
        return Known(self._principal(claims), self.keys, _expiry(claims), key.thumbprint)

    def _key_of(self, head: Mapping[str, Any]) -> IssuerKey:
        algorithm, key_id = head.get("alg"), head.get("kid")
        if algorithm not in self._settings.algorithms:
            raise RefusedToken("its algorithm is not allowed")
        if "crit" in head or "b64" in head or "enc" in head or "zip" in head:
            raise RefusedToken("it wants what is not understood here")
        if "cty" in head or str(head.get("typ", "jwt")).lower() not in _TYPES:
            raise RefusedToken("it is no plain JWT")
        if key_id is not None and not isinstance(key_id, str):
            raise RefusedToken("its kid is no text")
        # A secret has no id: all tokens are of it, whatever they name.
        key = self.keys.find(None if self._settings.secret_file else key_id)
        if key is None:
            raise UnknownKey("it is of a key that the issuer does not have")
        if key.kind != _KINDS[algorithm[:2]] or key.algorithm not in (None, algorithm):
            raise RefusedToken("its algorithm is not that of its key")
        return key

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        name = claims.get(self._settings.principal_claim)
        try:
            name = check_name(name, "")
        except InvalidRequest:
            raise RefusedToken(f"its {self._settings.principal_claim} is no name") from None
        return Principal(f"jwt:{name}", _grants(claims.get(self._settings.grants_claim)))


def _grants(claim: Any) -> tuple[Grant, ...]:
    """Of a list, or of words. What is no grant stands for something else, such as ``openid``."""
    texts = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    if len(texts) > GRANTS_MAX:
        raise RefusedToken(f"it holds more than {GRANTS_MAX} grants")
    grants = set()
    for text in texts:
        try:
            grants.add(Grant.parse(text))
        except (InvalidRequest, AttributeError):
            continue
    return tuple(sorted(grants))


def _expiry(claims: Mapping[str, Any]) -> float:
    expiry = claims["exp"]
    if isinstance(expiry, bool) or not isinstance(expiry, (int, float)) or not math.isfinite(expiry):
        raise RefusedToken("its exp is no time")
    until = float(min(expiry, 2**53)) + JWT_LEEWAY_S
    if until <= time.time():
        raise RefusedToken("it has expired")
    return until


def _head(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        raise RefusedToken("it is no signed JWT")
    try:
        text = base64.b64decode(parts[0] + "=" * (-len(parts[0]) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise RefusedToken("its head cannot be read") from None
    return _object(text)


def _object(text: bytes) -> dict[str, Any]:
    """A JSON object in which nothing stands twice: readers do not agree on which of two counts."""
    try:
        found = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        raise RefusedToken("it holds no JSON, or one name twice") from None
    if not isinstance(found, dict):
        raise RefusedToken("it holds no JSON object")
    return found


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found
