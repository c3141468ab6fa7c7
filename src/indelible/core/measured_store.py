"""A store that measures the appends to another."""

import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Protocol, TypeVar

from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.errors import IndelibleError
from indelible.eventstore import AggregateAppend, AppendOutcome, AppendResult, AtomicAppendResult, EventStore, NewEvents
from indelible.store_around import StoreAround

STORED: Final = "stored"
"""What became of an append that ended in no error."""

R = TypeVar("R")


class OnAppends(Protocol):
    """Hears how long a call took, in seconds, and what became of its appends: their number by the errors' codes."""

    def __call__(self, duration_s: float, outcomes: dict[str, int]) -> None: ...


class MeasuredStore(StoreAround):
    """Tells how long appends take, and what becomes of them."""

    def __init__(self, inner: EventStore, on_appends: OnAppends) -> None:
        super().__init__(inner)
        self._on_appends: Final = on_appends

    async def append(
        self,
        aggregate_type: str,
        aggregate_id: str,
        events: NewEvents,
        *,
        expected_version: ExpectedVersion = "any",
    ) -> AppendResult:
        return await self._measured(
            self.inner.append(aggregate_type, aggregate_id, events, expected_version=expected_version)
        )

    async def append_each(self, appends: Sequence[AggregateAppend]) -> list[AppendOutcome]:
        return await self._measured(self.inner.append_each(appends), _outcomes_of)

    async def append_atomic(
        self, appends: Sequence[AggregateAppend], *, condition: AppendCondition | None = None
    ) -> AtomicAppendResult:
        return await self._measured(self.inner.append_atomic(appends, condition=condition))

    async def _measured(
        self, appending: Coroutine[Any, Any, R], outcomes_of: Callable[[R], dict[str, int]] = lambda _: {STORED: 1}
    ) -> R:
        started = time.perf_counter()
        outcomes: dict[str, int] = {}
        try:
            result = await appending
            outcomes = outcomes_of(result)
        except IndelibleError as error:
            outcomes = {error.code: 1}
            raise
        finally:
            self._on_appends(time.perf_counter() - started, outcomes)
        return result


def _outcomes_of(outcomes: Sequence[AppendOutcome]) -> dict[str, int]:
    return Counter([one.code if isinstance(one, IndelibleError) else STORED for one in outcomes])
