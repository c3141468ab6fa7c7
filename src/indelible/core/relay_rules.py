"""What owners of relays, and people, may change: plain functions from what is stored to what is to be. None asks for
the time. What stands beside the order of the log has its own, in :mod:`indelible.core.replay_rules`."""

from typing import Final
from uuid import UUID

from msgspec.structs import replace

from indelible.core.replay_rules import forgotten_behind
from indelible.engines.relay_storage import StoredRelay
from indelible.errors import RelayFenced, RelayOwned
from indelible.limits import RELAY_LEASE_MAX_S
from indelible.relay_state import RelayState

_NO_SAVE: Final = UUID(int=0)


def new_relay(name: str, position: int) -> StoredRelay:
    return StoredRelay(
        name=name, revision=0, epoch=0, owner="", lease_until_us=0, position=position, published=0,
        is_paused=False, is_stopped=False, problem=None, reset_epoch=0, save_id=_NO_SAVE,
    )  # fmt: skip


def lease_left_us(stored: StoredRelay, now_us: int) -> int:
    """0: it is over. So is one that would last longer than any lease: the clock has been set back since it was given,
    and whoever had it may be dead."""
    left_us = stored.lease_until_us - now_us
    return left_us if 0 < left_us <= RELAY_LEASE_MAX_S * 1e6 else 0


def claimed(stored: StoredRelay, owner: str, lease_s: float, now_us: int) -> StoredRelay:
    """Raises ``RelayOwned``."""
    left_us = lease_left_us(stored, now_us)
    if left_us and stored.owner != owner:
        raise RelayOwned(
            f"the relay {stored.name} is owned by {stored.owner}, for {left_us / 1e6:.1f} s more",
            relay=stored.name, owner=stored.owner, lease_left_s=left_us / 1e6,
        )  # fmt: skip
    problem = stored.problem if stored.is_stopped else None
    return leased(replace(stored, epoch=stored.epoch + 1, owner=owner, problem=problem), lease_s, now_us)


def leased(stored: StoredRelay, lease_s: float, now_us: int) -> StoredRelay:
    return replace(stored, lease_until_us=now_us + round(lease_s * 1e6))


def check_newest(stored: StoredRelay, epoch: int) -> None:
    """Raises ``RelayFenced`` for a stale owner, and for who never was one."""
    if epoch != stored.epoch:
        raise RelayFenced(
            f"epoch {epoch} of the relay {stored.name} is over: the newest is {stored.epoch}",
            relay=stored.name, epoch=stored.epoch,
        )  # fmt: skip


def advanced(stored: StoredRelay, *, position: int, published: int, problem: str | None, stop: bool) -> StoredRelay:
    """Nothing goes back: a call may come late, or twice."""
    # Only resuming ends a stop: a renewal that was under way meanwhile says nothing new.
    if not stored.is_stopped:
        stored = replace(stored, problem=problem, is_stopped=stop)
    return replace(stored, position=max(stored.position, position), published=max(stored.published, published))


def moved(stored: StoredRelay, position: int) -> StoredRelay:
    epoch = stored.epoch + 1
    return replace(
        forgotten_behind(stored, position),
        epoch=epoch,
        reset_epoch=epoch,
        lease_until_us=0,
        position=position,
        is_stopped=False,
        problem=None,
    )


def state_of(stored: StoredRelay, *, is_owned: bool) -> RelayState:
    """What matters most: what somebody has to do something about comes first."""
    if stored.is_stopped:
        return "stopped"
    if stored.is_paused:
        return "paused"
    if not is_owned:
        return "unowned"
    return "running" if stored.problem is None else "retrying"
