"""What the events of keys hold, and what follows from them: pure, for the store that writes them and for the servers
that follow them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType, convert, json
from msgspec.structs import replace

from indelible.events import NewEvent, RecordedEvent
from indelible.keys import KeyInfo, KeyState

KEY_CREATED: Final = "KeyCreated"
KEY_REVOKED: Final = "KeyRevoked"


class KeyRecord(Struct, frozen=True):
    """What is known of a key."""

    key_id: str
    name: str
    grants: tuple[str, ...]
    digest: bytes
    """SHA-256 of the whole key."""
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> KeyState:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"

    def info(self, now: datetime) -> KeyInfo:
        return KeyInfo(
            key_id=self.key_id,
            name=self.name,
            grants=self.grants,
            state=self.state(now),
            created_at=self.created_at,
            expires_at=self.expires_at,
            revoked_at=self.revoked_at,
        )


class _Created(Struct, frozen=True):
    """The data of a ``KeyCreated``."""

    name: str
    grants: tuple[str, ...]
    sha256: str
    expires_at: datetime | UnsetType = UNSET


def created_event(name: str, grants: tuple[str, ...], digest: bytes, expires_at: datetime | None) -> NewEvent:
    data = _Created(name, grants, digest.hex(), UNSET if expires_at is None else expires_at)
    return NewEvent(KEY_CREATED, json.decode(json.encode(data)))


def revoked_event() -> NewEvent:
    return NewEvent(KEY_REVOKED, {})


def changed(records: Mapping[str, KeyRecord], event: RecordedEvent) -> KeyRecord | None:
    """What a key is after an event of it; None where that says nothing, as an event of a newer version may."""
    if event.event_type == KEY_CREATED:
        created = convert(_data(event), _Created)
        return KeyRecord(
            key_id=event.aggregate_id,
            name=created.name,
            grants=created.grants,
            digest=bytes.fromhex(created.sha256),
            created_at=event.timestamp,
            expires_at=None if created.expires_at is UNSET else created.expires_at,
        )
    known = records.get(event.aggregate_id)
    if event.event_type == KEY_REVOKED and known is not None:
        return replace(known, revoked_at=event.timestamp)
    return None


def _data(event: RecordedEvent) -> Any:
    return json.decode(event.event_data_bytes)
