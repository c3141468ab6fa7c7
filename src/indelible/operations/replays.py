"""The operations on what relays publish beside the order of the log: replays, and events that were set aside."""

from typing import Annotated, Any, Final

import msgspec

from indelible import words
from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.groups import StartPoint
from indelible.operations.groups import After, Since, StartOrNone
from indelible.operations.operation import Operation
from indelible.operations.relays import RELAY_CHANGE_ERRORS, OfRelay
from indelible.relay_state import RelayInfo, SetAsideEvent, check_set_aside

# --- What they are asked with ----------------------------------------------------------------------------------------


class ReplayRelay(OfRelay, frozen=True):
    """Which range to publish again: one of start, after and since, and until."""

    start: StartOrNone | None = None
    after: After | None = None
    since: Since | None = None
    until: (
        Annotated[
            Cursor,
            words.meta("Up to this cursor; the relay's checkpoint when missing.", {"type": "string"}, example="3"),
        ]
        | None
    ) = None

    def check(self) -> None:
        super().check()
        StartPoint(self.start, self.after, self.since).given()
        if self.until is not None:
            Cursor.parse(self.until, "/until")


class _SetAside(OfRelay, frozen=True):
    positions: words.SetAsidePositions | None = None
    all: Annotated[bool, words.meta("In place of positions: all that were set aside.", example=True)] = False

    def check(self) -> None:
        super().check()
        if self.all and self.positions is not None:
            raise InvalidRequest("must not stand next to positions", pointer="/all")
        if not self.all and self.positions is None:
            raise InvalidRequest("is missing; all of true stands for all", pointer="/positions")
        check_set_aside(self.positions)


class RetrySetAside(_SetAside, frozen=True):
    """Which events that were set aside to publish again."""


class DismissSetAside(_SetAside, frozen=True):
    """Which events that were set aside to give up."""


# --- What they answer, where the store gives what is inside ----------------------------------------------------------


class SetAsideList(msgspec.Struct, frozen=True):
    """All events that were set aside."""

    set_aside: Annotated[tuple[SetAsideEvent, ...], words.meta("By position.")]


class Retried(msgspec.Struct, frozen=True):
    """What becomes of events that were set aside."""

    retried: Annotated[int, words.meta("How many are to be published again.", words.COUNT, example=1)]


class Dismissed(msgspec.Struct, frozen=True):
    """What became of events that were set aside."""

    dismissed: Annotated[int, words.meta("How many were given up.", words.COUNT, example=1)]


# --- The rows --------------------------------------------------------------------------------------------------------


async def _retry(store: Any, asked: RetrySetAside) -> int:
    asked.check()
    retried: int = await store.relays.retry_set_aside(asked.relay, asked.positions)
    return retried


async def _dismiss(store: Any, asked: DismissSetAside) -> int:
    asked.check()
    dismissed: int = await store.relays.dismiss_set_aside(asked.relay, asked.positions)
    return dismissed


REPLAY_RELAY: Final = Operation[ReplayRelay, RelayInfo](
    name="replay_relay", store_method="relays.replay", section="Relays", summary="Publish a range again",
    description="From `start`, `after` a cursor, or `since` a time, up to `until`, which the relay must have come to. "
    "For a new consumer of the broker: it is published beside the order of the log, which goes on, and messages of it "
    "say so. Its owner begins within seconds. One range at a time: while there is another, the answer is "
    "`replay_running`; asked for the one that is under way, it changes nothing.",
    parameters=ReplayRelay, answer=RelayInfo, answers="The relay, with its replay.",
    http="POST /v1/relays/{relay}/replay", grpc="Relays.ReplayRelay",
    retry="once", permission="admin", errors=("replay_running", *RELAY_CHANGE_ERRORS),
)  # fmt: skip
CANCEL_REPLAY: Final = Operation[OfRelay, RelayInfo](
    name="cancel_replay", store_method="relays.cancel_replay", section="Relays", summary="End a replay early",
    description="What it has published stays. Its owner hears of it within seconds. Without a replay nothing happens.",
    parameters=OfRelay, answer=RelayInfo, answers="The relay as it is now.",
    http="DELETE /v1/relays/{relay}/replay", grpc="Relays.CancelReplay",
    retry="idempotent", permission="admin", errors=RELAY_CHANGE_ERRORS,
)  # fmt: skip
LIST_SET_ASIDE: Final = Operation[OfRelay, tuple[SetAsideEvent, ...]](
    name="list_set_aside", store_method="relays.list_set_aside", section="Relays",
    summary="List events that were set aside",
    description="The broker refused them for good, and the relay, which was told to, went on behind them. Each stays "
    "until it is published after all, or somebody gives it up.",
    parameters=OfRelay, answer=SetAsideList, answer_field="set_aside", answers="All of them.",
    http="GET /v1/relays/{relay}/set-aside", grpc="Relays.ListSetAside",
    retry="read", permission="read", errors=("relay_not_found",),
)  # fmt: skip
RETRY_SET_ASIDE: Final = Operation(
    name="retry_set_aside", store_method="relays.retry_set_aside", section="Relays",
    summary="Publish events that were set aside",
    description="Those at `positions`, or `all`, once what was wrong is mended. The owner publishes each, as a replay, "
    "and takes it off the list then; what is refused again stays there. When one of the positions is not that of an "
    "event that was set aside, nothing happens: `set_aside_event_not_found`.",
    parameters=RetrySetAside, answer=Retried, answer_field="retried", answers="How many are to be published.",
    http="POST /v1/relays/{relay}/set-aside/retry", grpc="Relays.RetrySetAside",
    retry="once", permission="admin", errors=("set_aside_event_not_found", *RELAY_CHANGE_ERRORS), call=_retry,
)  # fmt: skip
DISMISS_SET_ASIDE: Final = Operation(
    name="dismiss_set_aside", store_method="relays.dismiss_set_aside", section="Relays",
    summary="Give up events that were set aside",
    description="Those at `positions`, or `all`: the broker never gets them. When one of the positions is not that of "
    "an event that was set aside, nothing happens: `set_aside_event_not_found`.",
    parameters=DismissSetAside, answer=Dismissed, answer_field="dismissed", answers="How many were given up.",
    http="POST /v1/relays/{relay}/set-aside/dismiss", grpc="Relays.DismissSetAside",
    retry="once", permission="admin", errors=("set_aside_event_not_found", *RELAY_CHANGE_ERRORS), call=_dismiss,
)  # fmt: skip

REPLAY_OPERATIONS: Final[tuple[Operation[Any, Any], ...]] = (
    REPLAY_RELAY, CANCEL_REPLAY, LIST_SET_ASIDE, RETRY_SET_ASIDE, DISMISS_SET_ASIDE,
)  # fmt: skip
