"""The keys of an issuer of JWTs: from a file, from a URL, or one secret; read anew as they change.

Keys are fetched once in ``JWKS_FETCH_S``, and when a token names one that is not there; the latter at most once in
``JWKS_UNKNOWN_KEY_S``, because strangers can name what they like. While the issuer does not answer, its last keys hold
for ``JWKS_KEPT_S``.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from indelible.errors import InvalidRequest
from indelible.limits import (
    JWKS_FETCH_S,
    JWKS_KEPT_S,
    JWKS_KEYS_MAX,
    JWKS_SIZE_BYTES_MAX,
    JWKS_TIMEOUT_S,
    JWKS_UNKNOWN_KEY_S,
)
from indelible.server.access_settings import JwtSettings
from indelible.server.authentication.known import Known
from indelible.tasks import end_if_cancelled

_log: Final = structlog.get_logger(__name__)

Jwk = RSAKey | ECKey | OKPKey | OctKey
Fetch = Callable[[], Awaitable[bytes]]

_KINDS: Final[dict[str, type[RSAKey | ECKey | OKPKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
"""No symmetric keys: what an issuer publishes is no secret."""
_RSA_BITS_MIN: Final = 2_048
_SECRET_SIZE_BYTES_MIN: Final = 32


class IssuerKey(msgspec.Struct, frozen=True):
    """One key, and the signatures that it may make."""

    key: Any
    """A ``Jwk``."""
    kind: str
    algorithm: str | None
    """The only one, where the issuer says so."""
    thumbprint: str


class IssuerKeys:
    """Give it to the background as a part."""

    def __init__(
        self, fetch: Fetch, *, interval_s: float = JWKS_FETCH_S, unknown_key_s: float = JWKS_UNKNOWN_KEY_S
    ) -> None:
        self.valid_until = -math.inf
        self._fetch: Final = fetch
        self._interval_s: Final = interval_s
        self._unknown_key_s: Final = unknown_key_s
        self._keys: dict[str | None, IssuerKey] = {}
        self._problem: str | None = "they are not fetched yet"
        self._asked_at = -math.inf
        self._fetching: asyncio.Task[None] | None = None

    def find(self, key_id: str | None) -> IssuerKey | None:
        """The key that a token names; one that names none is of the only key."""
        found = self._keys.get(key_id)
        if found is None and key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return found

    def vouches_for(self, known: Known) -> bool:
        """Whether the issuer still has the key."""
        return any(one.thumbprint == known.vouched_by for one in self._keys.values())

    def why_not_ready(self) -> str | None:
        return self._problem

    async def run(self) -> None:
        """Fetch the keys again and again."""
        while True:
            end_if_cancelled()
            await self._fetch_once()
            await asyncio.sleep(self._interval_s if self._problem is None else self._unknown_key_s)

    async def look_soon(self) -> None:
        """Fetch the keys, unless they just were."""
        if time.monotonic() - self._asked_at >= self._unknown_key_s or self._fetching is not None:
            await self._fetch_once()

    async def _fetch_once(self) -> None:
        """Whoever comes while it is under way waits for it too."""
        if self._fetching is None:
            self._asked_at = time.monotonic()
            self._fetching = asyncio.create_task(self._fetch_keys(), name="issuer-keys")
            self._fetching.add_done_callback(self._fetched)
        await asyncio.wait({self._fetching})

    def _fetched(self, _: object) -> None:
        self._fetching = None

    async def _fetch_keys(self) -> None:
        began_at = time.monotonic()
        try:
            async with asyncio.timeout(JWKS_TIMEOUT_S):
                keys = read_keys(await self._fetch())
        except (aiohttp.ClientError, OSError, InvalidRequest) as error:
            problem = str(error) or type(error).__name__
            if problem != self._problem:
                _log.warning("the issuer's keys cannot be fetched; the last ones hold for now", error=problem)
            self._problem = f"the issuer's keys cannot be fetched: {problem}"
            return
        self._keys, self._problem = keys, None
        self.valid_until = began_at + JWKS_KEPT_S


def make_issuer_keys(jwt: JwtSettings) -> IssuerKeys:
    if jwt.jwks_url is not None:
        return IssuerKeys(_from_url(jwt.jwks_url))
    file = jwt.jwks_file or jwt.secret_file
    assert file is not None, "as the settings were checked"
    # Reading it costs next to nothing.
    fetch = _from_file(Path(file), is_secret=jwt.secret_file is not None)
    return IssuerKeys(fetch, interval_s=JWKS_UNKNOWN_KEY_S)


def _from_url(url: str) -> Fetch:
    async def fetch() -> bytes:
        timeout = aiohttp.ClientTimeout(total=JWKS_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as response,
        ):
            if response.status != 200:
                raise InvalidRequest(f"{url} answers with status {response.status}")
            text = bytearray()
            async for chunk in response.content.iter_any():
                text += chunk
                if len(text) > JWKS_SIZE_BYTES_MAX:
                    raise InvalidRequest(f"{url} answers with more than {JWKS_SIZE_BYTES_MAX} bytes")
            return bytes(text)

    return fetch


def _from_file(file: Path, *, is_secret: bool) -> Fetch:
    async def fetch() -> bytes:
        with file.open("rb") as opened:
            text = opened.read(JWKS_SIZE_BYTES_MAX + 1)
        if len(text) > JWKS_SIZE_BYTES_MAX:
            raise InvalidRequest(f"{file} has more than {JWKS_SIZE_BYTES_MAX} bytes")
        return _as_set(text.strip(), file) if is_secret else text

    return fetch


# --- What is in them -------------------------------------------------------------------------------------------------


class _Secret(bytes):
    """The text of a file with a secret, which is no set of keys."""


def _as_set(secret: bytes, file: Path) -> bytes:
    if len(secret) < _SECRET_SIZE_BYTES_MIN:
        raise InvalidRequest(f"{file} must hold a secret of at least {_SECRET_SIZE_BYTES_MIN} bytes")
    return _Secret(secret)


def read_keys(text: bytes) -> dict[str | None, IssuerKey]:
    """The keys of a JWKS, by their ids. Those that sign nothing, or that are of unknown kinds or too weak, are passed
    over. Raises ``InvalidRequest`` when it is no JWKS, or no key is left."""
    if isinstance(text, _Secret):
        key = OctKey.import_key(bytes(text))
        return {None: IssuerKey(key, "oct", None, key.thumbprint())}
    try:
        decoded = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        decoded = None
    members = decoded.get("keys") if isinstance(decoded, dict) else None
    if not isinstance(members, list) or len(members) > JWKS_KEYS_MAX:
        raise InvalidRequest(f'not a JSON object with at most {JWKS_KEYS_MAX} "keys"')
    keys: dict[str | None, IssuerKey] = {}
    for member in members:
        with contextlib.suppress(JoseError, ValueError, TypeError, KeyError):
            key_id = member.get("kid") if isinstance(member, dict) else None
            found = _read_key(member)
            if found is not None and (key_id is None or isinstance(key_id, str)):
                keys.setdefault(key_id, found)
    if not keys:
        raise InvalidRequest("holds no key that could sign a token")
    return keys


def _read_key(member: Any) -> IssuerKey | None:
    kind = _KINDS.get(str(member.get("kty"))) if isinstance(member, dict) else None
    if kind is None or member.get("use", "sig") != "sig" or "verify" not in member.get("key_ops", ["verify"]):
        return None
    algorithm = member.get("alg")
    # Of a key that is published with its private part, the public one.
    key = kind.import_key(member)
    if isinstance(key, RSAKey) and key.public_key.key_size < _RSA_BITS_MIN:
        return None
    return IssuerKey(key, member["kty"], algorithm if isinstance(algorithm, str) else None, key.thumbprint())
