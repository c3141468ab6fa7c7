"""The table of operations: one row for each thing that a caller can ask. Both servers, both clients, OpenAPI and the
reference pages follow from it."""

from typing import Any, Final

from indelible.operations.deliveries import DELIVERY_OPERATIONS
from indelible.operations.events import EVENT_OPERATIONS
from indelible.operations.groups import GROUP_OPERATIONS
from indelible.operations.keys import KEY_OPERATIONS
from indelible.operations.operation import Nothing, Operation, Parameters
from indelible.operations.relays import RELAY_OPERATIONS
from indelible.operations.replays import REPLAY_OPERATIONS
from indelible.operations.schemas import SCHEMA_OPERATIONS
from indelible.operations.search import SEARCH_OPERATIONS
from indelible.operations.store import STORE_OPERATIONS

OPERATIONS: Final[tuple[Operation[Any, Any], ...]] = (
    *EVENT_OPERATIONS, *STORE_OPERATIONS, *SEARCH_OPERATIONS, *GROUP_OPERATIONS, *DELIVERY_OPERATIONS,
    *RELAY_OPERATIONS, *REPLAY_OPERATIONS, *KEY_OPERATIONS, *SCHEMA_OPERATIONS,
)  # fmt: skip

__all__ = ["OPERATIONS", "Nothing", "Operation", "Parameters"]
