"""The audit log: who was refused, who administered what, and who took the whole log with them.

Telling it costs a caller nothing and never fails: an entry goes into a bounded queue, and a part beside the requests
appends what is there. While the store takes nothing, full or out of reach, the queue keeps ``AUDIT_QUEUE_MAX`` entries
and counts the others; the count is written once it does. Operations go on meanwhile: a full disk must not keep anybody
from revoking a key.

What strangers can cause, such as failures, must not fill the store. Of each kind the first is written at once; those
that follow in the same window of ``AUDIT_WINDOW_S`` are one entry with their number, and beyond ``AUDIT_KINDS_MAX``
kinds in a window all others are one kind. So a process writes two entries a kind and window at most, whatever comes.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec
import structlog
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric

from indelible.audit_events import (
    ADMINISTERED,
    AUDIT_AGGREGATE_TYPE,
    AUTHENTICATION_FAILED,
    ENTRIES_LOST,
    EXPORTED,
)
from indelible.errors import IndelibleError
from indelible.events import NewEvent
from indelible.limits import AUDIT_KINDS_MAX, AUDIT_KNOWN_KINDS_MAX, AUDIT_QUEUE_MAX, AUDIT_RETRY_S, AUDIT_WINDOW_S
from indelible.operations import OPERATIONS, Operation
from indelible.server.background import Part
from indelible.server.callers import Credentials
from indelible.tasks import end_if_cancelled, is_set_within

_log: Final = structlog.get_logger(__name__)
_AT_ONCE: Final = 100
_LAST_S: Final = 1.0
"""For the last entries, when the server stops."""
_OWNERS_WORK: Final = ("claim_relay", "advance_relay", "release_relay")
"""What a relay does all day. It needs the permission, but administers nothing."""

AUDITED: Final = frozenset(
    one.name for one in OPERATIONS if one.permission == "admin" and one.retry != "read" and one.name not in _OWNERS_WORK
)
"""The operations that change groups, relays, the query index and keys."""


class AppendReserved(Protocol):
    def __call__(self, aggregate_type: str, aggregate_id: str, events: Sequence[NewEvent]) -> Awaitable[object]: ...


_Kind = tuple[tuple[str, str], ...]


class Audit:
    """Of one process. ``append`` stores events of the store's own types."""

    def __init__(self, append: AppendReserved) -> None:
        self.failures = 0
        """Of authentication, since the process started."""
        self.lost = 0
        self._append: Final = append
        self._waiting: Final[deque[NewEvent]] = deque()
        self._has_more: Final = asyncio.Event()
        self._untold = 0
        """Of those that were lost, how many no entry tells of yet."""
        self._counts: Final[dict[str, dict[_Kind, int]]] = {}
        """How often each kind of each type came since its entry in this window was made."""
        self._window_ends_at = 0.0
        self._is_failing = False

    def part(self) -> Part:
        return Part("audit log", self.run, why_not_ready=self._why_not_ready)

    def _why_not_ready(self) -> str | None:
        return "the store does not take its entries" if self._is_failing else None

    # --- What is told ------------------------------------------------------------------------------------------------

    def refused(self, reason: str, credentials: Credentials, key_id: str) -> None:
        """A caller whose credentials are not taken."""
        self.failures += 1
        self._count(AUTHENTICATION_FAILED, {}, reason=reason, address=credentials.address, key_id=key_id)

    def exported(self, principal: str, address: str, operation: str, asked: msgspec.Struct) -> None:
        """A stream of the feed begins."""
        more = {"address": address, "asked": _in_words(asked)}
        self._count(EXPORTED, more, principal=principal, operation=operation)

    def administered(
        self, principal: str, address: str, operation: Operation[Any, Any], asked: msgspec.Struct, outcome: str
    ) -> None:
        """Somebody changed something, or may have, or could not."""
        told = {"principal": principal, "address": address, "operation": operation.name, "outcome": outcome}
        if outcome == "forbidden":
            self._count(ADMINISTERED, {}, **told)
        else:
            self._put(ADMINISTERED, told | {"asked": _in_words(asked)})

    def _count(self, event_type: str, more: Mapping[str, Any], **kind: str) -> None:
        """``more``: what is told of the first of a kind alone."""
        counts = self._counts.setdefault(event_type, {})
        key = tuple(kind.items())
        kinds_max = AUDIT_KINDS_MAX if event_type == AUTHENTICATION_FAILED else AUDIT_KNOWN_KINDS_MAX
        if key not in counts and len(counts) >= kinds_max:
            more, kind = {}, dict.fromkeys(kind, "others")
            key = tuple(kind.items())
        if key in counts:
            counts[key] += 1
            return
        counts[key] = 0
        self._put(event_type, {**kind, **more, "times": 1})

    def _put(self, event_type: str, data: Mapping[str, Any]) -> None:
        if len(self._waiting) >= AUDIT_QUEUE_MAX:
            self.lost += 1
            self._untold += 1
            return
        self._waiting.append(NewEvent(event_type, {name: value for name, value in data.items() if value != ""}))
        self._has_more.set()

    # --- What is written ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Append what is told, for ever; what is left at the end, if the store takes it."""
        try:
            while True:
                end_if_cancelled()
                await is_set_within(max(self._window_ends_at - self._now(), 0.0), self._has_more)
                if self._now() >= self._window_ends_at:
                    self._end_window()
                await self._write()
        finally:
            self._end_window()
            # Who cancels this waits for so long.
            await asyncio.wait([asyncio.ensure_future(self._write_rest())], timeout=_LAST_S)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _end_window(self) -> None:
        self._window_ends_at = self._now() + AUDIT_WINDOW_S
        counts = dict(self._counts)
        self._counts.clear()
        for event_type, kinds in counts.items():
            for kind, times in kinds.items():
                if times:
                    self._put(event_type, dict(kind) | {"times": times})

    async def _write(self) -> None:
        self._has_more.clear()
        while self._waiting:
            if not await self._write_some():
                await asyncio.sleep(AUDIT_RETRY_S)

    async def _write_rest(self) -> None:
        while self._waiting and await self._write_some():
            pass

    async def _write_some(self) -> bool:
        """Whether the store took them. They are the same events at the next attempt, so none is there twice."""
        count = min(len(self._waiting), _AT_ONCE)
        some = [self._waiting[i] for i in range(count)]
        try:
            await self._append(AUDIT_AGGREGATE_TYPE, datetime.now(UTC).date().isoformat(), some)
        except IndelibleError as error:
            if not self._is_failing:
                _log.warning("the audit log cannot be written; its entries wait", error=error.message)
            self._is_failing = True
            return False
        self._is_failing = False
        for _ in range(count):
            self._waiting.popleft()
        if self._untold:
            untold, self._untold = self._untold, 0
            self._put(ENTRIES_LOST, {"entries": untold})
        return True

    # --- Metrics -----------------------------------------------------------------------------------------------------

    def metrics(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "indelible_authentication_failures", "Calls whose credentials were missing or not taken, in this process.",
            value=self.failures,
        )  # fmt: skip
        yield CounterMetricFamily(
            "indelible_audit_entries_lost", "Entries that the audit log did not take, in this process.", value=self.lost
        )


def _in_words(asked: msgspec.Struct) -> Any:
    return msgspec.to_builtins(asked, enc_hook=_in_word)


def _in_word(value: object) -> str:
    """Of JSON that is passed on as text, as a schema is, its size: what became of it has events of its own."""
    return f"{len(bytes(value))} bytes of JSON" if isinstance(value, msgspec.Raw) else str(value)
