"""Signed checkpoints: where a log ended at a time, to be kept elsewhere, and to hold the log to later.

The chain of hashes shows any change within a log, but not an end that was cut off, nor a log that was rewritten whole:
whoever may write the store may do that. They cannot sign. Ed25519 (RFC 8032) signs the bytes of :func:`_signed_bytes`;
keys are PEM files as openssl makes them.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec

from indelible.core.copy import check_has_one_log
from indelible.core.verify import Damage
from indelible.cursors import START
from indelible.errors import InvalidRequest
from indelible.events import HASH_BEFORE_FIRST, decode_event, format_timestamp, timestamp_to_us
from indelible.eventstore import EventStore

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
        load_pem_public_key,
    )
except ImportError as error:
    raise InvalidRequest.of_extra("signing", error, pointer="") from None

FORMAT: Final = 1
_PURPOSE: Final = b"indelible checkpoint\n"
"""In front of what is signed, so that nothing that is signed for other ends can pass for a checkpoint."""
_KEY_ID_LENGTH: Final = 16

_Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a log ended. Its JSON, in this order of the fields, is what is signed."""

    format: int
    log: _Hash
    """Hash of the first event: it tells one log from another."""
    position: Annotated[int, msgspec.Meta(ge=0)]
    """Of the last event; 0 in an empty log."""
    hash: _Hash
    """Of that event, and so of all before it."""
    timestamp: str
    """Of that event; empty in an empty log."""
    signed_at: str


class SignedCheckpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of JSON."""

    checkpoint: Checkpoint
    key: str
    """Which key has signed: the beginning of the SHA-256 of the public one."""
    signature: str
    """Base64."""


# --- Keys ------------------------------------------------------------------------------------------------------------


def make_keys(private: Path, public: Path) -> str:
    """A new pair of keys in two files; neither may be there. Returns the key's id. Raises ``FileExistsError``."""
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_new(private, secret, 0o600)
    _write_new(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    return key_id(key.public_key())


def _write_new(file: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with open(descriptor, "wb") as output:  # noqa: PTH123 - a descriptor, not a path
        output.write(data)
        output.flush()
        os.fsync(output.fileno())


def key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:_KEY_ID_LENGTH]


def read_private_key(file: Path) -> Ed25519PrivateKey:
    """Raises ``InvalidRequest`` and ``OSError``."""
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidRequest(f"{file} is no private key in PEM without a passphrase: {error}", pointer="/key") from None
    if isinstance(key, Ed25519PrivateKey):
        return key
    raise InvalidRequest(f"{file} is a key of another kind than Ed25519", pointer="/key")


def read_public_key(file: Path) -> Ed25519PublicKey:
    """Raises ``InvalidRequest`` and ``OSError``."""
    try:
        key = load_pem_public_key(file.read_bytes())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidRequest(f"{file} is no public key in PEM: {error}", pointer="/public_key") from None
    if isinstance(key, Ed25519PublicKey):
        return key
    raise InvalidRequest(f"{file} is a key of another kind than Ed25519", pointer="/public_key")


# --- Signing ---------------------------------------------------------------------------------------------------------


async def sign_checkpoint(store: EventStore, key: Ed25519PrivateKey) -> SignedCheckpoint:
    """Of where the log ends now. Looks at its first and last event alone: whether all between are as they were written,
    ``verify`` says."""
    check_has_one_log(await store.head(), "/store")
    first = await store.read_feed(after=START, limit=1)
    last = await store.read_feed(direction="backward", limit=1)
    now = format_timestamp(timestamp_to_us(datetime.now(UTC)))
    nothing = HASH_BEFORE_FIRST.hex()
    checkpoint = Checkpoint(FORMAT, nothing, 0, nothing, "", now)
    # In this order, a log that was empty may have begun meanwhile.
    if first.lines and last.lines:
        event = decode_event(last.lines)
        timestamp = format_timestamp(timestamp_to_us(event.timestamp))
        log = decode_event(first.lines).hash
        checkpoint = Checkpoint(FORMAT, log, event.position, event.hash, timestamp, now)
    signature = base64.b64encode(key.sign(_signed_bytes(checkpoint))).decode()
    return SignedCheckpoint(checkpoint, key_id(key.public_key()), signature)


def _signed_bytes(checkpoint: Checkpoint) -> bytes:
    return _PURPOSE + msgspec.json.encode(checkpoint)


def read_checkpoints(file: Path, key: Ed25519PublicKey) -> tuple[Checkpoint, ...]:
    """Those of a file, one a line, by position. Raises ``InvalidRequest`` unless all are signed by this key."""
    lines = [(number, line) for number, line in enumerate(file.read_bytes().split(b"\n"), 1) if line.strip()]
    if not lines:
        raise InvalidRequest(f"{file} has no checkpoint in it", pointer="/checkpoint")
    found = [_read(line, f"{file}, line {number},", key) for number, line in lines]
    return tuple(sorted(found, key=lambda one: one.position))


def _read(line: bytes, where: str, key: Ed25519PublicKey) -> Checkpoint:
    try:
        signed = msgspec.json.decode(line, type=SignedCheckpoint)
        signature = base64.b64decode(signed.signature, validate=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, binascii.Error) as error:
        raise InvalidRequest(f"{where} is no signed checkpoint: {error}", pointer="/checkpoint") from None
    if signed.checkpoint.format != FORMAT:
        raise InvalidRequest(f"{where} has a format of a later version", pointer="/checkpoint")
    try:
        key.verify(signature, _signed_bytes(signed.checkpoint))
    except InvalidSignature:
        ours = key_id(key)
        why = f"it names the key {signed.key}" if signed.key != ours else "it was changed since"
        message = f"{where} was not signed so by the key {ours}: {why}"
        raise InvalidRequest(message, pointer="/checkpoint") from None
    return signed.checkpoint


# --- Holding a log to them -------------------------------------------------------------------------------------------


class HeldTo:
    """What a log must be, while it is read from its first event on: a :class:`indelible.core.verify.SignedLog`."""

    def __init__(self, checkpoints: Sequence[Checkpoint]) -> None:
        held = [one for one in checkpoints if one.position]
        self._last: Final = held[-1] if held else None
        first = [(1, held[0].log, held[0])] if held else []
        self._left: Final = [*first, *((one.position, one.hash, one) for one in held)][::-1]
        self._passed = 0

    def next_stop(self, position: int) -> int:
        return next((at for at, _, _ in reversed(self._left) if at > position), 0)

    def check(self, position: int, digest: str) -> Damage | None:
        while self._left and self._left[-1][0] <= position:
            at, signed, checkpoint = self._left.pop()
            if signed != digest:
                return Damage(self._passed + 1, _rewritten(at, signed, digest, checkpoint))
            self._passed = at
        return None

    def check_end(self, position: int) -> Damage | None:
        if not self._left or self._last is None:
            return None
        last = self._last
        return Damage(
            position + 1,
            f"is missing: the log ends before it, but a checkpoint of {last.signed_at} has position {last.position}, "
            f"of {last.timestamp}",
        )


def _rewritten(position: int, signed: str, found: str, checkpoint: Checkpoint) -> str:
    what = f"has the hash {found}, but what was signed at {checkpoint.signed_at} has {signed}"
    if position == 1:
        return f"{what}: the log is another one, or was rewritten from its beginning"
    return f"or one behind it was rewritten: the event at position {position} {what}"
