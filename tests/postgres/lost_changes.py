"""Groups and relays as they are stored, for tests that lose the answers of those who save them."""

from typing import TypeVar
from uuid import uuid4

import msgspec

from indelible.engines.group_storage import StoredGroup
from indelible.engines.relay_storage import StoredRelay
from indelible.groups import GroupSettings

Stored = TypeVar("Stored", StoredGroup, StoredRelay)


def new_group(name: str = "billing") -> StoredGroup:
    return StoredGroup(name, GroupSettings(), 1, 1, 0, 0, 0, uuid4())


def new_relay() -> StoredRelay:
    return StoredRelay(
        name="orders", revision=1, epoch=1, owner="one", lease_until_us=0, position=0, published=0, is_paused=False,
        is_stopped=False, problem=None, reset_epoch=0, save_id=uuid4(),
    )  # fmt: skip


def saved_next(stored: Stored) -> Stored:
    return msgspec.structs.replace(stored, revision=stored.revision + 1, save_id=uuid4())
