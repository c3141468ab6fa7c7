"""Relays: what callers say and hear of them, and the part of the EventStore protocol that keeps their state.

A relay publishes the events of the log to a message broker. One process at a time owns it, by a lease that the store's
clock decides about, and moves its checkpoint. Each owner has a higher epoch than the one before: what one says of an
older epoch is refused before it moves anything, so an owner that was held up, however long, does no harm when it wakes.

Two things stand beside the order of the log: a replay, which publishes a range again, and the events that the broker
refused and that were set aside. Both are the relay's state, so that they outlast its owner.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Protocol

from msgspec import Struct

from indelible import words
from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.events import check_name
from indelible.groups import Start, check_positions, check_reason
from indelible.limits import RELAY_LEASE_MAX_S, RELAY_LEASE_MIN_S, RELAY_LEASE_S, VERSION_MAX
from indelible.queries import check_seconds

RelayState = Literal["running", "retrying", "paused", "stopped", "unowned"]
OnRefusal = Literal["stop", "set_aside"]
"""What a relay does when the broker will never take an event: stand still until somebody resumes it, or have the store
keep the event, for somebody to decide, and go on behind it."""

# --- What is told ----------------------------------------------------------------------------------------------------


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


class RelayReplay(Struct, frozen=True):
    """A range that a relay publishes again."""

    name: words.RelayReplayName
    cursor: words.ReplayCursor
    position: Annotated[int, words.meta("That cursor's position.", words.COUNT, example=3)]
    until: Annotated[Cursor, words.meta("Where the range ends.", {"type": "string"}, example="9")]
    until_position: Annotated[int, words.meta("The position of the range's end.", words.VERSION, example=9)]
    published: words.ReplayPublished


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
    replay: Annotated[
        RelayReplay | None, words.meta("What it publishes again; null when there is nothing.", example=None)
    ] = None
    set_aside: Annotated[
        int, words.meta("Events that the broker refused, and that nobody has decided about.", words.COUNT, example=0)
    ] = 0
    to_retry: Annotated[int, words.meta("How many of them are to be published again.", words.COUNT, example=0)] = 0


class SetAsideEvent(Struct, frozen=True):
    """An event that the broker refused for good. The relay went on behind it."""

    position: words.Position
    event_id: words.EventId
    aggregate_type: words.AggregateType
    aggregate_id: words.AggregateId
    reason: Annotated[str, words.meta("Why it was refused last.", example="it is larger than the broker takes")]
    set_aside_at: Annotated[words.Time, words.meta("When it was refused last.")]
    retry: Annotated[
        str | None,
        words.meta("Name of the replay by which it is to be published again; null when none is.", example=None),
    ] = None


# --- What owners say -------------------------------------------------------------------------------------------------


class ReplayProgress(Struct, frozen=True, forbid_unknown_fields=True):
    """How far a replay has come."""

    name: words.RelayReplayName
    cursor: words.ReplayCursor
    published: words.ReplayPublished


class RefusedEvent(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An event that the broker will never take as it is, to be set aside."""

    position: words.SetAsidePosition
    reason: words.RefusalReason
    replay: Annotated[
        str, words.meta("The replay that it was refused in; empty where it was not.", words.NAME_OR_NONE, example="")
    ] = ""


class RetriedEvent(Struct, frozen=True, forbid_unknown_fields=True):
    """An event that was set aside, and is published now."""

    position: words.SetAsidePosition
    replay: words.RelayReplayName


# --- The protocol ----------------------------------------------------------------------------------------------------


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
        replay: ReplayProgress | None = None,
        refused: RefusedEvent | None = None,
        retried: RetriedEvent | None = None,
    ) -> RelayInfo:
        """Say how far the owner of ``epoch`` has come, and be the owner for ``lease_s`` more. May be repeated: neither
        the checkpoint nor ``published``, a count of events, ever goes back. The answer's cursor is the
        later one. ``stop``: it stands still, because of the ``problem``, until somebody resumes it.

        ``replay``: how far that has come; neither does it go back, and it ends at its end. ``refused``: the event is
        set aside, together with the cursor, or the replay's, that is behind it. ``retried``: it no longer is. What is
        said of a replay that is over, or of an event twice, means nothing. Raises ``InvalidRequest`` at ``/refused``
        when too many events are set aside.

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
        """Publish from another place on; backward, that publishes events again. The present epoch is over. Events that
        were set aside behind the place are forgotten: they come again. Raises ``InvalidRequest`` unless one place is
        given."""
        ...

    async def replay(
        self,
        relay: str,
        *,
        start: Start | None = None,
        after: Cursor | None = None,
        since: datetime | None = None,
        until: Cursor | None = None,
    ) -> RelayInfo:
        """Publish a range again, for a new consumer, beside the order of the log: from ``start``, ``after`` or
        ``since`` up to ``until``; None: up to the checkpoint. Asked for the range that is under way it changes nothing.
        Raises ``ReplayRunning`` while there is another one, and ``InvalidRequest`` for an end that the relay has not
        come to, or a range of nothing."""
        ...

    async def cancel_replay(self, relay: str) -> RelayInfo:
        """End the replay, if there is one; what it has published stays."""
        ...

    async def list_set_aside(self, relay: str) -> tuple[SetAsideEvent, ...]:
        """Every event that was set aside, by position."""
        ...

    async def retry_set_aside(self, relay: str, positions: Sequence[int] | None = None) -> int:
        """Have events published again that were set aside: those at these positions, or all. The owner does it, and
        takes them off the list; what is refused again stays. Returns how many. Raises ``SetAsideEventNotFound``;
        nothing happens then."""
        ...

    async def dismiss_set_aside(self, relay: str, positions: Sequence[int] | None = None) -> int:
        """Give up events that were set aside: those at these positions, or all. They are never published. Returns how
        many. Raises ``SetAsideEventNotFound``; nothing happens then."""
        ...


# --- Checks ----------------------------------------------------------------------------------------------------------


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


def check_beside(replay: ReplayProgress | None, refused: RefusedEvent | None, retried: RetriedEvent | None) -> None:
    """What an owner says of what stands beside the order of the log."""
    if replay is not None:
        check_name(replay.name, "/replay/name")
        Cursor.parse(replay.cursor, "/replay/cursor")
        _check_integer(replay.published, "/replay/published", 0)
    if refused is not None:
        _check_integer(refused.position, "/refused/position", 1)
        check_reason(refused.reason, pointer="/refused/reason")
        if refused.replay != "":
            check_name(refused.replay, "/refused/replay")
    if retried is not None:
        _check_integer(retried.position, "/retried/position", 1)
        check_name(retried.replay, "/retried/replay")


def check_set_aside(positions: Sequence[int] | None) -> tuple[int, ...] | None:
    """None: all are meant."""
    return None if positions is None else check_positions(positions)


def _check_integer(value: object, pointer: str, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= VERSION_MAX:
        raise InvalidRequest(f"must be an integer from {least} to {VERSION_MAX}", pointer=pointer)
    return value
