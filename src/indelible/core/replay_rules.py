"""What stands beside the order of the log of a relay, replays and events that were set aside: plain functions from what
is stored to what is to be. Whatever an owner says may come late, or twice."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from indelible.engines.relay_storage import StoredRelay, StoredReplay, StoredSetAside
from indelible.errors import InvalidRequest, ReplayRunning, SetAsideEventNotFound
from indelible.limits import RELAY_SET_ASIDE_MAX
from indelible.relay_state import RefusedEvent, ReplayProgress, RetriedEvent

# --- Replays ---------------------------------------------------------------------------------------------------------


def replaying(stored: StoredRelay, begin: int, until: int | None) -> StoredRelay:
    """``until`` None: up to the checkpoint. Raises ``ReplayRunning`` and ``InvalidRequest``."""
    running = stored.beside.replay
    if running is not None:
        # Where the end is not said, it has moved since the range was asked for.
        if running.begin == begin and until in (None, running.until):
            return stored
        raise ReplayRunning(
            f"the relay {stored.name} publishes another range again, {running.name}; wait for its end, or cancel it",
            relay=stored.name, replay=running.name,
        )  # fmt: skip
    end = stored.position if until is None else until
    if end > stored.position:
        raise InvalidRequest(
            f"is past the relay's checkpoint, {stored.position}: what comes behind that is still to be published",
            pointer="/until",
        )
    if begin >= end:
        raise InvalidRequest(f"there is nothing to publish again from {begin} to {end}", pointer="/until")
    count = stored.beside.replays + 1
    return _with(stored, replays=count, replay=StoredReplay(_name(count), begin, begin, end, 0))


def without_replay(stored: StoredRelay) -> StoredRelay:
    return _with(stored, replay=None)


def replayed(stored: StoredRelay, progress: ReplayProgress, reached: int) -> StoredRelay:
    """It is over once it has come to its end."""
    running = stored.beside.replay
    if running is None or running.name != progress.name:
        return stored
    if reached >= running.until:
        return without_replay(stored)
    published = max(running.published, progress.published)
    return _with(stored, replay=replace(running, position=max(running.position, reached), published=published))


# --- Events that were set aside --------------------------------------------------------------------------------------


def is_passed(
    stored: StoredRelay, refused: RefusedEvent, *, live: int, replay: ReplayProgress | None, reached: int | None
) -> bool:
    """Whether the relay, or its replay, passes the event just now, being as ``stored`` before. Else somebody may have
    decided about the event since it was set aside."""
    if not refused.replay:
        return stored.position < refused.position <= live
    running = stored.beside.replay
    if running is None or replay is None or reached is None or not refused.replay == replay.name == running.name:
        return False
    return running.position < refused.position <= reached


def with_refused(stored: StoredRelay, event: StoredSetAside, replay: str, *, is_new: bool) -> StoredRelay:
    """``replay``: the one that the event was refused in. Raises ``InvalidRequest`` when there are too many."""
    others = [one for one in stored.beside.set_aside if one.position != event.position]
    listed = next((one for one in stored.beside.set_aside if one.position == event.position), None)
    if listed is not None:
        # One that is to be published again stays so, unless it was refused in just that.
        kept = replace(event, retry=None if listed.retry == (replay or None) else listed.retry)
        return _with(stored, set_aside=_by_position((*others, kept)))
    if not is_new:
        return stored
    if len(others) >= RELAY_SET_ASIDE_MAX:
        raise InvalidRequest(
            f"the relay {stored.name} has set aside {len(others)} events, and takes no more; retry or dismiss some",
            pointer="/refused",
        )
    return _with(stored, set_aside=_by_position((*others, event)))


def without_retried(stored: StoredRelay, retried: RetriedEvent) -> StoredRelay:
    done = (retried.position, retried.replay)
    return _with(stored, set_aside=tuple(one for one in stored.beside.set_aside if (one.position, one.retry) != done))


def retrying(stored: StoredRelay, positions: Collection[int] | None) -> tuple[StoredRelay, int]:
    """Those that are to be published again already stay as they are. Raises ``SetAsideEventNotFound``."""
    chosen = _chosen(stored, positions)
    count = stored.beside.replays + 1
    kept = tuple(
        replace(one, retry=_name(count)) if one.position in chosen and one.retry is None else one
        for one in stored.beside.set_aside
    )
    return _with(stored, replays=count, set_aside=kept), len(chosen)


def dismissed(stored: StoredRelay, positions: Collection[int] | None) -> tuple[StoredRelay, int]:
    """Raises ``SetAsideEventNotFound``."""
    chosen = _chosen(stored, positions)
    kept = tuple(one for one in stored.beside.set_aside if one.position not in chosen)
    return _with(stored, set_aside=kept), len(chosen)


def forgotten_behind(stored: StoredRelay, position: int) -> StoredRelay:
    """What comes again in the order of the log is no longer set aside."""
    return _with(stored, set_aside=tuple(one for one in stored.beside.set_aside if one.position <= position))


def _chosen(stored: StoredRelay, positions: Collection[int] | None) -> frozenset[int]:
    listed = frozenset(one.position for one in stored.beside.set_aside)
    if positions is None:
        return listed
    for position in positions:
        if position not in listed:
            raise SetAsideEventNotFound(
                f"the relay {stored.name} has set aside no event at position {position}",
                relay=stored.name, position=position,
            )  # fmt: skip
    return frozenset(positions)


def _by_position(events: Iterable[StoredSetAside]) -> Sequence[StoredSetAside]:
    return tuple(sorted(events, key=lambda one: one.position))


def _name(count: int) -> str:
    return f"replay-{count}"


def _with(stored: StoredRelay, **changes: Any) -> StoredRelay:
    return replace(stored, beside=replace(stored.beside, **changes))
