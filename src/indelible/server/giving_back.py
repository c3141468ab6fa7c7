"""What becomes of deliveries whose member went away: others get them at once."""

from collections.abc import Collection
from itertools import islice
from typing import Final

import structlog

from indelible.errors import IndelibleError
from indelible.groups import ConsumerGroups
from indelible.limits import GROUP_SETTLE_MAX

_WENT_AWAY: Final = "its member went away"
_log: Final = structlog.get_logger(__name__)


async def give_back(store: ConsumerGroups, group: str, delivery_ids: Collection[str]) -> None:
    """What cannot be given back now, because the group or the store is gone, is delivered again after its deadline."""
    rest = iter(delivery_ids)
    try:
        while some := list(islice(rest, GROUP_SETTLE_MAX)):
            await store.nack(group, some, reason=_WENT_AWAY)
    except IndelibleError as error:
        _log.info("deliveries of a member that went away wait for their deadline", group=group, error=error.message)
