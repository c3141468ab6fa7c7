"""Groups as they are stored, for tests that lose the answers of those who save them."""

from uuid import uuid4

import msgspec

from indelible.engines.group_storage import StoredGroup
from indelible.groups import GroupSettings


def new_group(name: str = "billing") -> StoredGroup:
    return StoredGroup(name, GroupSettings(), 1, 1, 0, 0, 0, uuid4())


def saved_next(group: StoredGroup) -> StoredGroup:
    return msgspec.structs.replace(group, revision=group.revision + 1, save_id=uuid4())
