"""Who asks: the one place where both transports turn credentials into a principal."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic, time
from typing import TYPE_CHECKING, Final

from indelible.access import Principal
from indelible.errors import IndelibleError, Unauthenticated, Unavailable
from indelible.eventstore import EventStore
from indelible.keys import is_key, is_token, key_id_of, token_digest
from indelible.limits import JWTS_KEPT_MAX, KEYS_FOLLOW_S, RETRY_AFTER_S
from indelible.server.access_settings import AccessSettings, JwtSettings
from indelible.server.authentication.key_ring import KeyRing
from indelible.server.authentication.known import Known, RefusedToken
from indelible.server.background import Part
from indelible.server.callers import Credentials
from indelible.tasks import end_if_cancelled

if TYPE_CHECKING:
    from indelible.server.authentication.jwt import JwtReader

OnRefusal = Callable[[str, Credentials, str], None]
"""Hears why credentials were refused, of whom, and the id of the key that they name, or nothing."""
_MISSING: Final = "say who you are: Authorization: Bearer TOKEN"
_REFUSED: Final = "the token is not taken here: it may be mistyped, expired or revoked"
"""The same for all of them: strangers learn nothing of which tokens there were."""


class Authenticator:
    """Knows the principals of a server's callers.

    What it has found good it keeps by its digest, so that the next call costs one hash and one look into a dictionary;
    that takes as long whatever somebody guesses. A key is good while the store's keys can be followed and hold it; a
    JWT until it expires, or its issuer withdraws the key that it was signed by.
    """

    def __init__(self, settings: AccessSettings, store: EventStore, *, on_refusal: OnRefusal | None = None) -> None:
        self._on_refusal: Final = on_refusal
        self._certificates: Final[Mapping[str, Principal]] = {
            name: Principal.of(f"certificate:{name}", grants) for name, grants in settings.certificates.items()
        }
        self._ring: Final = KeyRing(store) if settings.keys else None
        self._jwts: Final[dict[bytes, Known]] = {}
        self._reader: Final = None if settings.jwt is None else _make_reader(settings.jwt)
        self._keys: Final[Mapping[bytes, Known]] = {} if self._ring is None else self._ring.known
        self._watched: Final[dict[object, tuple[Known, Callable[[], object]]]] = {}

    def parts(self) -> Sequence[Part]:
        """What has to run beside the requests. The keys are vital: without them nobody is let in."""
        found = []
        if self._ring is not None:
            found.append(Part("keys", self._ring.run, is_vital=True, why_not_ready=self._ring.why_not_ready))
        if self._reader is not None:
            issuer = self._reader.keys
            found.append(Part("issuer keys", issuer.run, why_not_ready=issuer.why_not_ready))
        return [*found, Part("withdrawn credentials", self._run)]

    def principal(self, credentials: Credentials) -> Principal | Awaitable[Principal]:
        """Who that is: at once where that can be told from memory, else to be awaited. Raises ``Unauthenticated`` for
        credentials that are missing or not taken, and ``Unavailable`` while keys cannot be followed."""
        bearer = credentials.bearer
        if bearer is None:
            return self._of_certificate(credentials)
        known = self._known(bearer)
        return self._find(bearer, credentials) if known is None else known.principal

    def _known(self, bearer: str) -> Known | None:
        digest = token_digest(bearer)
        known = self._keys.get(digest) or self._jwts.get(digest)
        # All calls come here: no further function.
        if known is None or known.until <= time() or known.source.valid_until <= monotonic():
            return None
        return known

    def _of_certificate(self, credentials: Credentials) -> Principal:
        for name in credentials.certificate_names:
            if (principal := self._certificates.get(name)) is not None:
                return principal
        raise self._refused(credentials, "no token", _MISSING)

    # --- What is not known yet ---------------------------------------------------------------------------------------

    def _find(self, bearer: str, credentials: Credentials) -> Principal | Awaitable[Principal]:
        if not is_token(bearer):
            raise self._refused(credentials, "no token, or one that is too long")
        if is_key(bearer):
            if self._ring is None:
                raise self._refused(credentials, "a key, and keys are not taken", key_id=key_id_of(bearer))
            return self._find_key(self._ring, bearer, credentials)
        if self._reader is None or bearer.startswith("ind_"):
            raise self._refused(credentials, "no key, nor another token that is taken")
        try:
            known = self._reader.read(bearer)
        except RefusedToken as refused:
            raise self._refused(credentials, f"a JWT: {refused}") from None
        return self._take_jwt(bearer, known) if isinstance(known, Known) else self._find_jwt(known, bearer, credentials)

    async def _find_key(self, ring: KeyRing, bearer: str, credentials: Credentials) -> Principal:
        """It may have been made a moment ago, at another server."""
        await ring.look_soon()
        known = self._known(bearer)
        if known is not None:
            return known.principal
        if (problem := ring.why_not_ready()) is not None:
            raise Unavailable(problem, retry_after_s=RETRY_AFTER_S)
        raise self._refused(credentials, "a key that is unknown, expired or revoked", key_id=key_id_of(bearer))

    async def _find_jwt(self, reading: Awaitable[Known], bearer: str, credentials: Credentials) -> Principal:
        try:
            return self._take_jwt(bearer, await reading)
        except RefusedToken as refused:
            raise self._refused(credentials, f"a JWT: {refused}") from None

    def _take_jwt(self, bearer: str, known: Known) -> Principal:
        if len(self._jwts) >= JWTS_KEPT_MAX:
            del self._jwts[next(iter(self._jwts))]
        self._jwts[token_digest(bearer)] = known
        return known.principal

    def _refused(
        self, credentials: Credentials, reason: str, message: str = _REFUSED, *, key_id: str = ""
    ) -> IndelibleError:
        self.tell_refused(reason, credentials, key_id)
        return Unauthenticated(message)

    def tell_refused(self, reason: str, credentials: Credentials, key_id: str = "") -> None:
        """Of whoever is refused, here or before anybody asks."""
        if self._on_refusal is not None:
            self._on_refusal(reason, credentials, key_id)

    # --- What is withdrawn -------------------------------------------------------------------------------------------

    @contextmanager
    def watching(self, credentials: Credentials, on_withdrawn: Callable[[], object]) -> Iterator[None]:
        """For what goes on for long, such as streams: ``on_withdrawn`` is called, once, when these credentials hold no
        longer. It is looked at as often as keys are."""
        if credentials.bearer is None:
            # A certificate: it holds as long as its connection does.
            yield
            return
        known = self._known(credentials.bearer)
        if known is None:
            # It ended since its caller was let in.
            ending = asyncio.get_running_loop().call_soon(on_withdrawn)
            try:
                yield
            finally:
                ending.cancel()
            return
        watch = object()
        self._watched[watch] = (known, on_withdrawn)
        try:
            yield
        finally:
            self._watched.pop(watch, None)

    async def _run(self) -> None:
        while True:
            end_if_cancelled()
            self._forget_withdrawn()
            await asyncio.sleep(KEYS_FOLLOW_S)

    def _forget_withdrawn(self) -> None:
        if self._ring is not None:
            self._ring.forget_expired()
        for digest, known in tuple(self._jwts.items()):
            if known.has_ended or not known.source.vouches_for(known):
                del self._jwts[digest]
        for watch, (known, on_withdrawn) in tuple(self._watched.items()):
            if known.has_ended or not known.source.vouches_for(known):
                del self._watched[watch]
                on_withdrawn()


def _make_reader(settings: JwtSettings) -> "JwtReader":
    from indelible.server.authentication.jwt import JwtReader  # noqa: PLC0415 - needs packages of an extra

    return JwtReader(settings)
