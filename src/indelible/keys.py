"""Keys: what callers say and hear of them, and the part of the EventStore protocol that keeps them.

A key is a secret of 256 random bits that its bearer shows with every request. It is told once, when it is made; the
store keeps its SHA-256 alone. It reads ``ind_ID_SECRET``, where the secret ends in a checksum of six characters, so
that scanners of source code and logs find keys, and nothing else: :data:`KEY_PATTERN`, and :func:`is_key`.
"""

import re
import secrets
import zlib
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any, Final, Literal, Protocol

from msgspec import Struct

from indelible import words
from indelible.access import Grant
from indelible.errors import InvalidRequest, KeyNotFound
from indelible.events import check_name
from indelible.limits import GRANTS_MAX, KEY_EXPIRES_MAX_S, KEY_EXPIRES_MIN_S, TOKEN_SIZE_BYTES_MAX
from indelible.queries import EventQuery, check_seconds

KEY_AGGREGATE_TYPE: Final = "$key"
"""Of the events that keys and their changes are: one aggregate a key, by its id."""
KEY_PATTERN: Final = "ind_[0-9a-f]{16}_[0-9A-Za-z]{49}"
"""What a key looks like, as a regular expression."""
KEYS_QUERY: Final = EventQuery.of(aggregate_types=(KEY_AGGREGATE_TYPE,))

KeyState = Literal["valid", "expired", "revoked"]

# --- What is told ----------------------------------------------------------------------------------------------------


class KeyInfo(Struct, frozen=True):
    """A key, without its secret."""

    key_id: words.KeyId
    name: words.KeyName
    grants: words.Grants
    state: Annotated[KeyState, words.STRING, words.meta("Whether it may be used.", example="valid")]
    created_at: Annotated[words.Time, words.meta("When it was made.", example="2026-01-31T12:00:00.000000Z")]
    expires_at: Annotated[
        words.Time | None, words.meta("From then on it is refused; null: never.", example="2026-05-01T12:00:00.000000Z")
    ] = None
    revoked_at: Annotated[words.Time | None, words.meta("When it was revoked; null: it was not.", example=None)] = None


class NewKey(Struct, frozen=True):
    """A key that was just made, with its secret."""

    key: Annotated[
        str,
        words.meta(
            "The key itself, for `Authorization: Bearer KEY`. It is told this once, and nobody can look it up.",
            {"pattern": f"^{KEY_PATTERN}$"},
            example="ind_6f1c0e5d2a9b4c37_" + "0" * 49,
        ),
    ]
    key_id: words.KeyId
    name: words.KeyName
    grants: words.Grants
    expires_at: Annotated[
        words.Time | None, words.meta("From then on it is refused; null: never.", example="2026-05-01T12:00:00.000000Z")
    ] = None

    def __repr__(self) -> str:
        return f"NewKey(key='***', key_id={self.key_id!r}, name={self.name!r}, grants={self.grants!r})"


# --- The part of the store -------------------------------------------------------------------------------------------


class Keys(Protocol):
    """The keys of a store. Servers look at them where access control is on."""

    async def create(self, name: str, grants: Sequence[str], *, expires_in_s: float | None = None) -> NewKey:
        """Make a key with ``grants`` such as ``read:order``, for ``expires_in_s`` seconds; None: until it is revoked.
        ``name`` is for people. Raises ``InvalidRequest``."""
        ...

    async def list(self) -> tuple[KeyInfo, ...]:
        """Every key that there ever was, in the order in which they were made."""
        ...

    async def revoke(self, key_id: str) -> KeyInfo:
        """Have a key refused from now on, for ever: by each server within ``KEYS_FRESH_S``. One that is revoked stays
        as it is. Raises ``KeyNotFound``."""
        ...


def key_not_found(key_id: str) -> KeyNotFound:
    return KeyNotFound(f"there is no key {key_id}", key_id=key_id)


# --- Checks ----------------------------------------------------------------------------------------------------------

_KEY_ID: Final = re.compile("[0-9a-f]{16}")


def check_key_id(key_id: object) -> str:
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        raise InvalidRequest("must be the id of a key: 16 digits from 0 to f", pointer="/key_id")
    return key_id


def check_new_key(name: object, grants: object, expires_in_s: object) -> tuple[str, ...]:
    """The grants, sorted and without repeats. Raises :class:`InvalidRequest`."""
    check_name(name, "/name")
    if expires_in_s is not None:
        check_seconds(expires_in_s, "/expires_in_s", KEY_EXPIRES_MIN_S, KEY_EXPIRES_MAX_S)
    return check_grants(grants, "/grants")


def check_grants(grants: Any, pointer: str) -> tuple[str, ...]:
    """Sorted and without repeats. Raises :class:`InvalidRequest`."""
    if isinstance(grants, (str, bytes)) or not isinstance(grants, Sequence):
        raise InvalidRequest("must be a list of grants such as read:order", pointer=pointer)
    if not 0 < len(grants) <= GRANTS_MAX:
        raise InvalidRequest(f"must hold 1 to {GRANTS_MAX} grants, not {len(grants)}", pointer=pointer)
    for i, grant in enumerate(grants):
        if not isinstance(grant, str):
            raise InvalidRequest(f"must be a string, not {type(grant).__name__}", pointer=f"{pointer}/{i}")
        Grant.parse(grant, f"{pointer}/{i}")
    return tuple(sorted(set(grants)))


_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")


def is_token(text: str) -> bool:
    """Whether it may be a token, of any kind (RFC 6750): nothing in it could end a line, in a header or a log."""
    return len(text) <= TOKEN_SIZE_BYTES_MAX and _TOKEN.fullmatch(text) is not None


def check_token(token: object) -> str:
    """What a caller shows to say who it is. Raises :class:`InvalidRequest`, which does not show it."""
    if not isinstance(token, str) or not is_token(token):
        raise InvalidRequest(
            f"must be 1 to {TOKEN_SIZE_BYTES_MAX} letters, digits and -._~+/=, without spaces or line ends",
            pointer="/token",
        )
    return token


# --- The key itself --------------------------------------------------------------------------------------------------

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH: Final = 43
"""Characters that 256 bits take."""
_CHECKSUM_LENGTH: Final = 6
_KEY: Final = re.compile(KEY_PATTERN)


def make_key() -> tuple[str, str]:
    """A new key, and its id."""
    key_id = secrets.token_hex(8)
    body = f"ind_{key_id}_{_in_digits(secrets.randbits(256), _SECRET_LENGTH)}"
    return body + _checksum(body), key_id


def is_key(text: str) -> bool:
    """Whether it is written as keys are, its checksum included. Whether the store knows it is another question."""
    return _KEY.fullmatch(text) is not None and _checksum(text[:-_CHECKSUM_LENGTH]) == text[-_CHECKSUM_LENGTH:]


def key_id_of(key: str) -> str:
    """Of text that :func:`is_key`."""
    return key.split("_", 2)[1]


def token_digest(token: str) -> bytes:
    """What stands for a token wherever one is looked up: finding it takes as long whatever was guessed."""
    return sha256(token.encode()).digest()


def _checksum(body: str) -> str:
    return _in_digits(zlib.crc32(body.encode("ascii")), _CHECKSUM_LENGTH)


def _in_digits(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
