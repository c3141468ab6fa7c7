"""What becomes of pulls that end early, and of deliveries whose member went away: others get them at once."""

import asyncio
from collections.abc import Awaitable, Collection, Coroutine
from itertools import islice
from typing import Any, Final

import structlog

from indelible.errors import IndelibleError
from indelible.groups import ConsumerGroups, Delivery
from indelible.limits import GROUP_SETTLE_MAX
from indelible.tasks import first_of

_WENT_AWAY: Final = "its member went away"
_log: Final = structlog.get_logger(__name__)


async def pull_until(
    groups: ConsumerGroups, group: str, pull: Coroutine[Any, Any, tuple[Delivery, ...]], *ends: Awaitable[object]
) -> tuple[Delivery, ...]:
    """What the pull has got when one of the ``ends`` comes, if not before; given back when this is cancelled. The store
    sees to it that a pull that is cancelled while it waits holds nothing."""
    pulling = asyncio.create_task(pull)
    try:
        await first_of(pulling, *ends)
    except asyncio.CancelledError:
        if pulling.done() and not pulling.cancelled() and pulling.exception() is None:
            await give_back(groups, group, [one.delivery_id for one in pulling.result()], untried=True)
        raise
    return () if pulling.cancelled() else pulling.result()


async def give_back(groups: ConsumerGroups, group: str, delivery_ids: Collection[str], *, untried: bool) -> None:
    """``untried``: they have not left this server. What cannot be given back now, because the group or the store is
    gone, is delivered again after its deadline."""
    rest = iter(delivery_ids)
    try:
        while some := list(islice(rest, GROUP_SETTLE_MAX)):
            await groups.nack(group, some, reason=_WENT_AWAY, untried=untried)
    except IndelibleError as error:
        _log.info("deliveries of a member that went away wait for their deadline", group=group, error=error.message)
