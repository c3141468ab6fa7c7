"""What a caller is told of a change that the engine could not bring to an end."""

from collections.abc import Awaitable
from typing import TypeVar

from indelible.errors import OutcomeUnknown, ShuttingDown, StorageFailure
from indelible.limits import RETRY_AFTER_S

T = TypeVar("T")


async def told_truly(change: Awaitable[T], again: str) -> T:
    """Wait for a change of the engine's. Raises ``OutcomeUnknown`` when it may or may not be stored, where ``again``
    says how to find out; ``ShuttingDown`` when it is not, and the engine has stopped writing."""
    try:
        return await change
    except StorageFailure as failure:
        if failure.fields.get("nothing_stored"):
            raise ShuttingDown(
                f"the store has stopped writing: {failure.message}; nothing was stored", retry_after_s=RETRY_AFTER_S
            ) from failure
        raise OutcomeUnknown(f"the commit failed ({failure.message}); {again}") from failure
