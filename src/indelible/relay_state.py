"""Relays: what callers say and hear of them, and the part of the EventStore protocol that keeps their state.

A relay publishes the events of the log to a message broker. One process at a time owns it, by a lease that the store's
clock decides about, and moves its checkpoint. Each owner has a higher epoch than the one before: what one says of an
older epoch is refused before it moves anything, so an owner that was held up, however long, does no harm when it wakes.
"""

from datetime import datetime
from typing import Annotated, Literal, Protocol

from msgspec import Struct

from indelible import words
from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.events import check_name
from indelible.groups import Start, check_reason, check_seconds
from indelible.limits import RELAY_LEASE_MAX_S, RELAY_LEASE_MIN_S, RELAY_LEASE_S, VERSION_MAX

RelayState = Literal["running", "retrying", "paused", "stopped", "unowned"]


class RelayLease(Struct, frozen=True):
    """A relay that is the caller's until the lease is over."""

    relay: words.Relay
    epoch: words.Epoch
    cursor: words.RelayCursor
    published: words.Published
    is_paused: words.IsPaused
    is_stopped: words.IsStopped
    reset_epoch: Annotated[
        int,
        words.meta(
            "The epoch that the last reset began; 0 before the first. What a broker holds of an older one does not "
            "tell how far the relay came.",
            words.COUNT, example=0,
        ),
    ]  # fmt: skip


class RelayInfo(Struct, frozen=True):
    """A relay, and how far it has come."""

    relay: words.Relay
    state: Annotated[
        RelayState,
        words.meta(
            "running; retrying: the problem may pass; paused; stopped: it waits for resume; unowned: nobody runs it.",
            {"type": "string"},
            example="running",
        ),
    ]
    epoch: words.Epoch
    owner: words.RelayOwner
    lease_left_s: Annotated[float, words.meta("How long it stays its owner's, in seconds.", words.COUNT, example=4.5)]
    cursor: words.RelayCursor
    position: Annotated[int, words.meta("The checkpoint's position; 0 before the first event.", words.COUNT, example=3)]
    lag: Annotated[
        int,
        words.meta("Positions from the checkpoint to the head, whether events match or not.", words.COUNT, example=0),
    ]
    lag_s: Annotated[
        float, words.meta("Age of the oldest event after the checkpoint; 0 at the head.", words.COUNT, example=0.0)
    ]
    published: words.Published
    is_paused: words.IsPaused
    is_stopped: words.IsStopped
    problem: Annotated[
        str | None, words.meta("Why it stands still, and at which position; null when it does not.", example=None)
    ] = None


class Relays(Protocol):
    """The relays of a store. Methods that name one raise ``RelayNotFound`` when it does not exist, but for
    :meth:`claim`, which makes it."""

    async def claim(
        self,
        relay: str,
        owner: str,
        *,
        lease_s: float = RELAY_LEASE_S,
        start: Start | None = None,
        after: Cursor | None = None,
        since: datetime | None = None,
    ) -> RelayLease:
        """Become the owner for ``lease_s`` seconds, with an epoch of one's own. A new relay begins at ``start``
        ("beginning", the default, or "end"), ``after`` a cursor, or with the first event ``since`` a time; for others
        that means nothing.

        ``owner`` names one process. Whoever gives the same name again gets the relay again, with another epoch.
        Raises ``RelayOwned`` while it is another's, and ``InvalidRequest`` when there are too many.
        """
        ...

    async def advance(
        self,
        relay: str,
        epoch: int,
        cursor: Cursor,
        *,
        published: int,
        lease_s: float = RELAY_LEASE_S,
        problem: str | None = None,
        stop: bool = False,
    ) -> RelayInfo:
        """Say how far the owner of ``epoch`` has come, and be the owner for ``lease_s`` more. May be repeated: neither
        the checkpoint nor ``published``, a count of events, ever goes back. The answer's cursor is the
        later one. ``stop``: it stands still, because of the ``problem``, until somebody resumes it.

        Raises ``RelayFenced`` when the epoch is not the newest, and ``InvalidRequest`` for a cursor past the head;
        nothing is moved then."""
        ...

    async def release(self, relay: str, epoch: int) -> RelayInfo:
        """End the lease of ``epoch``, so that another takes over at once. Raises ``RelayFenced``."""
        ...

    async def list(self) -> tuple[RelayInfo, ...]:
        """Every relay, by name."""
        ...

    async def get(self, relay: str) -> RelayInfo: ...

    async def pause(self, relay: str) -> RelayInfo:
        """Publish nothing until :meth:`resume`; the owner hears of it when it says next how far it has come."""
        ...

    async def resume(self, relay: str) -> RelayInfo:
        """Go on: after a pause, and after a stop, whose problem is forgotten."""
        ...

    async def reset(
        self, relay: str, *, start: Start | None = None, after: Cursor | None = None, since: datetime | None = None
    ) -> RelayInfo:
        """Publish from another place on; backward, that publishes events again. The present epoch is over. Raises
        ``InvalidRequest`` unless one place is given."""
        ...


def check_relay(relay: object) -> str:
    return check_name(relay, "/relay")


def check_owner(owner: object) -> str:
    return check_name(owner, "/owner")


def check_lease(lease_s: object) -> float:
    return check_seconds(lease_s, "/lease_s", RELAY_LEASE_MIN_S, RELAY_LEASE_MAX_S)


def check_epoch(epoch: object) -> int:
    return _check_integer(epoch, "/epoch", 1)


def check_progress(published: object, problem: object, stop: object) -> None:
    _check_integer(published, "/published", 0)
    if problem is not None:
        check_reason(problem, pointer="/problem")
    if not isinstance(stop, bool):
        raise InvalidRequest("must be true or false", pointer="/stop")
    if stop and problem is None:
        raise InvalidRequest("is missing; a relay that stops says why", pointer="/problem")


def _check_integer(value: object, pointer: str, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= VERSION_MAX:
        raise InvalidRequest(f"must be an integer from {least} to {VERSION_MAX}", pointer=pointer)
    return value
