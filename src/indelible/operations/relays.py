"""The operations on relays: what each is asked with, and its row. Those on what stands beside the order of the log are
in :mod:`indelible.operations.replays`."""

from typing import Annotated, Any, Final

import msgspec

from indelible import words
from indelible.cursors import Cursor
from indelible.groups import StartPoint
from indelible.limits import GROUP_REASON_LENGTH_MAX, RELAY_LEASE_S
from indelible.operations.groups import After, Since, StartOrNone
from indelible.operations.operation import Nothing, Operation, Parameters
from indelible.relay_state import (
    RefusedEvent,
    RelayInfo,
    RelayLease,
    ReplayProgress,
    RetriedEvent,
    check_beside,
    check_epoch,
    check_lease,
    check_owner,
    check_progress,
    check_relay,
)

RELAY_CHANGE_ERRORS: Final = ("relay_not_found", "shutting_down", "outcome_unknown", "storage_full")
"""Errors of whatever changes what the store knows of a relay."""
_PROBLEM: Final[words.Schema] = words.REASON | {"maxLength": GROUP_REASON_LENGTH_MAX}

# --- What they are asked with ----------------------------------------------------------------------------------------


class OfRelay(Parameters, frozen=True):
    """Which relay."""

    relay: words.Relay

    def check(self) -> None:
        check_relay(self.relay)


class ClaimRelay(OfRelay, frozen=True):
    """Who wants a relay, for how long, and where it begins when it is new."""

    owner: words.RelayOwner
    lease_s: words.LeaseS = RELAY_LEASE_S
    start: StartOrNone | None = None
    after: After | None = None
    since: Since | None = None

    def check(self) -> None:
        super().check()
        check_owner(self.owner)
        check_lease(self.lease_s)
        StartPoint(self.start, self.after, self.since).checked()


class AdvanceRelay(OfRelay, frozen=True):
    """How far a relay has come, by its owner."""

    epoch: words.Epoch
    cursor: Annotated[
        Cursor, words.meta("Every matching event up to here is published.", {"type": "string"}, example="3")
    ]
    published: words.Published
    lease_s: words.LeaseS = RELAY_LEASE_S
    problem: Annotated[str, words.meta("Why it stands still, and at which position.", _PROBLEM)] | None = None
    stop: Annotated[bool, words.meta("Stand still until somebody resumes it. Only with a problem.", example=False)] = (
        False
    )
    replay: Annotated[ReplayProgress | None, words.meta("How far its replay has come.")] = None
    refused: Annotated[RefusedEvent | None, words.meta("Set this event aside; the cursor is behind it.")] = None
    retried: Annotated[RetriedEvent | None, words.meta("This event, which was set aside, is published.")] = None

    def check(self) -> None:
        super().check()
        check_epoch(self.epoch)
        Cursor.parse(self.cursor, "/cursor")
        check_progress(self.published, self.problem, self.stop)
        check_lease(self.lease_s)
        check_beside(self.replay, self.refused, self.retried)


class ReleaseRelay(OfRelay, frozen=True):
    """Whose lease is to end."""

    epoch: words.Epoch

    def check(self) -> None:
        super().check()
        check_epoch(self.epoch)


class ResetRelay(OfRelay, frozen=True):
    """Where to publish on: one of start, after and since."""

    start: StartOrNone | None = None
    after: After | None = None
    since: Since | None = None

    def check(self) -> None:
        super().check()
        StartPoint(self.start, self.after, self.since).given()


# --- What they answer, where the store gives what is inside ----------------------------------------------------------


class RelayList(msgspec.Struct, frozen=True):
    """Every relay."""

    relays: Annotated[tuple[RelayInfo, ...], words.meta("Ordered by name.")]


# --- The rows --------------------------------------------------------------------------------------------------------

CLAIM_RELAY: Final = Operation[ClaimRelay, RelayLease](
    name="claim_relay", store_method="relays.claim", section="Relays", summary="Become a relay's owner",
    description="For `lease_s` seconds, or longer when it is renewed by advancing. Each owner has an epoch of its own, "
    "higher than the one before, whose owner is refused from then on. A relay is made when it is claimed first: it "
    "begins at `start` (the beginning, unless it is said), `after` a cursor, or `since` a time; one of them may be "
    "given. While it is another's, the answer is `relay_owned`.",
    parameters=ClaimRelay, answer=RelayLease, answers="The epoch, and where to go on.",
    http="POST /v1/relays/{relay}/claim", grpc="Relays.ClaimRelay",
    retry="idempotent", permission="admin", errors=("relay_owned", "shutting_down", "outcome_unknown", "storage_full"),
)  # fmt: skip
ADVANCE_RELAY: Final = Operation[AdvanceRelay, RelayInfo](
    name="advance_relay", store_method="relays.advance", section="Relays", summary="Move a relay's checkpoint",
    description="By its owner, whose lease is renewed. It may be repeated: neither the checkpoint nor `published` ever "
    "goes back. Of an epoch that is not the newest, the answer is `relay_fenced`, and nothing is moved.",
    parameters=AdvanceRelay, answer=RelayInfo, answers="The relay as it is now.",
    http="POST /v1/relays/{relay}/advance", grpc="Relays.AdvanceRelay",
    retry="idempotent", permission="admin", errors=("relay_fenced", *RELAY_CHANGE_ERRORS),
)  # fmt: skip
RELEASE_RELAY: Final = Operation[ReleaseRelay, RelayInfo](
    name="release_relay", store_method="relays.release", section="Relays", summary="Give a relay back",
    description="By its owner, so that another takes over at once.",
    parameters=ReleaseRelay, answer=RelayInfo, answers="The relay as it is now.",
    http="POST /v1/relays/{relay}/release", grpc="Relays.ReleaseRelay",
    retry="idempotent", permission="admin", errors=("relay_fenced", *RELAY_CHANGE_ERRORS),
)  # fmt: skip
LIST_RELAYS: Final = Operation[Nothing, tuple[RelayInfo, ...]](
    name="list_relays", store_method="relays.list", section="Relays", summary="List relays",
    description="Every relay, by name, and how far it has come.",
    parameters=Nothing, answer=RelayList, answer_field="relays", answers="All of them.",
    http="GET /v1/relays", grpc="Relays.ListRelays",
    retry="read", permission="read",
)  # fmt: skip
GET_RELAY: Final = Operation[OfRelay, RelayInfo](
    name="get_relay", store_method="relays.get", section="Relays", summary="Get a relay",
    description="Who owns it, how far it has come, and why it stands still, if it does.",
    parameters=OfRelay, answer=RelayInfo, answers="The relay.",
    http="GET /v1/relays/{relay}", grpc="Relays.GetRelay",
    retry="read", permission="read", errors=("relay_not_found",),
)  # fmt: skip
PAUSE_RELAY: Final = Operation[OfRelay, RelayInfo](
    name="pause_relay", store_method="relays.pause", section="Relays", summary="Pause a relay",
    description="It keeps its place and its owner, and publishes nothing. The owner hears of it within seconds.",
    parameters=OfRelay, answer=RelayInfo, answers="The relay as it is now.",
    http="POST /v1/relays/{relay}/pause", grpc="Relays.PauseRelay",
    retry="idempotent", permission="admin", errors=RELAY_CHANGE_ERRORS,
)  # fmt: skip
RESUME_RELAY: Final = Operation[OfRelay, RelayInfo](
    name="resume_relay", store_method="relays.resume", section="Relays", summary="Let a relay go on",
    description="After a pause; and after it stopped because of a problem, which is forgotten.",
    parameters=OfRelay, answer=RelayInfo, answers="The relay as it is now.",
    http="POST /v1/relays/{relay}/resume", grpc="Relays.ResumeRelay",
    retry="idempotent", permission="admin", errors=RELAY_CHANGE_ERRORS,
)  # fmt: skip
RESET_RELAY: Final = Operation[ResetRelay, RelayInfo](
    name="reset_relay", store_method="relays.reset", section="Relays", summary="Publish from another place on",
    description="From `start`, `after` a cursor, or `since` a time; backward, that publishes events again. The present "
    "epoch is over: its owner is refused, and has to claim the relay anew.",
    parameters=ResetRelay, answer=RelayInfo, answers="The relay as it is now.",
    http="POST /v1/relays/{relay}/reset", grpc="Relays.ResetRelay",
    retry="idempotent", permission="admin", errors=RELAY_CHANGE_ERRORS,
)  # fmt: skip

RELAY_OPERATIONS: Final[tuple[Operation[Any, Any], ...]] = (
    CLAIM_RELAY, ADVANCE_RELAY, RELEASE_RELAY, LIST_RELAYS, GET_RELAY, PAUSE_RELAY, RESUME_RELAY, RESET_RELAY,
)  # fmt: skip
