"""The operations on what a consumer group delivers: get events, settle them, and deal with those that were given up."""

from typing import Annotated, Any, Final

import msgspec

from indelible import groups, words
from indelible.errors import InvalidRequest
from indelible.groups import Delivery, InFlight, ParkedList, Settled, SkippedList
from indelible.limits import (
    GROUP_IN_FLIGHT_MAX,
    GROUP_NACK_DELAY_MAX_S,
    GROUP_PULL_DEFAULT,
    GROUP_PULL_MAX,
    GROUP_WAIT_MAX_S,
    PAGE_EVENTS_DEFAULT,
)
from indelible.operations.groups import GROUP_CHANGE_ERRORS, OfGroup
from indelible.operations.operation import Operation
from indelible.queries import check_list_cursor, check_page

# --- What they are asked with ----------------------------------------------------------------------------------------


class Pull(OfGroup, frozen=True):
    """Who wants events, how many, and for how long to wait."""

    member: words.Member = ""
    limit: Annotated[int, words.meta("How many at most.", {"minimum": 1, "maximum": GROUP_PULL_MAX}, example=100)] = (
        GROUP_PULL_DEFAULT
    )
    wait_s: Annotated[
        float,
        words.meta(
            "How many seconds to wait for an event when there is none.",
            {"minimum": 0, "maximum": GROUP_WAIT_MAX_S},
            example=20.0,
        ),
    ] = 0.0

    def check(self) -> None:
        super().check()
        groups.check_pull(self.member, self.limit, self.wait_s)


class Consume(OfGroup, frozen=True):
    """Who begins to consume."""

    member: words.Member = ""
    max_in_flight: Annotated[
        int,
        words.meta("Events that are with the caller at once.", {"minimum": 1, "maximum": GROUP_IN_FLIGHT_MAX}),
    ] = GROUP_PULL_DEFAULT

    def check(self) -> None:
        super().check()
        groups.check_member(self.member)
        groups.check_count(self.max_in_flight, "/max_in_flight", GROUP_IN_FLIGHT_MAX)


class Ack(OfGroup, frozen=True):
    """Deliveries whose events are done."""

    delivery_ids: words.DeliveryIds

    def check(self) -> None:
        super().check()
        groups.check_delivery_ids(self.delivery_ids)


class Nack(OfGroup, frozen=True):
    """Deliveries to refuse."""

    delivery_ids: words.DeliveryIds
    delay_s: Annotated[
        float,
        words.meta(
            "Seconds before the event is delivered again. Its aggregate waits as long.",
            {"minimum": 0, "maximum": GROUP_NACK_DELAY_MAX_S},
            example=5.0,
        ),
    ] = 0.0
    reason: Annotated[
        str,
        words.meta(
            "Why, for people; kept with an event that is parked.",
            words.REASON | {"minLength": 0},
            example="the bank does not answer",
        ),
    ] = ""
    park: Annotated[bool, words.meta("Do not deliver it again: park it.")] = False
    untried: Annotated[
        bool, words.meta("Nobody has looked at the events: these deliveries do not count as attempts. Not with `park`.")
    ] = False

    def check(self) -> None:
        super().check()
        groups.check_delivery_ids(self.delivery_ids)
        groups.check_nack(self.delay_s, self.reason, self.park, self.untried)


class Extend(OfGroup, frozen=True):
    """Deliveries that take longer."""

    delivery_ids: words.DeliveryIds
    ack_timeout_s: (
        Annotated[
            float, words.meta("Seconds from now; the group's own when missing.", words.ACK_TIMEOUT, example=300.0)
        ]
        | None
    ) = None

    def check(self) -> None:
        super().check()
        groups.check_delivery_ids(self.delivery_ids)
        groups.check_ack_timeout(self.ack_timeout_s)


class _GroupPage(OfGroup, frozen=True):
    after: words.PageAfter | None = None
    limit: words.PageLimit = PAGE_EVENTS_DEFAULT

    def check(self) -> None:
        super().check()
        check_list_cursor(self.after)
        check_page(self.limit)


class ListParked(_GroupPage, frozen=True):
    """A page of parked events."""


class ListSkipped(_GroupPage, frozen=True):
    """A page of skipped events."""


class RedriveParked(OfGroup, frozen=True):
    """Which parked events to deliver again."""

    positions: words.Positions | None = None
    all: Annotated[bool, words.meta("In place of positions: all that is parked.", example=True)] = False
    partition: words.OfPartition = None

    def check(self) -> None:
        super().check()
        if self.all and self.positions is not None:
            raise InvalidRequest("must not stand next to positions", pointer="/all")
        if not self.all:
            if self.positions is None:
                raise InvalidRequest("is missing; all of true stands for all", pointer="/positions")
            groups.check_positions(self.positions)
        groups.check_partition(self.partition)


class SkipParked(OfGroup, frozen=True):
    """Which parked events to pass over, and why."""

    positions: Annotated[words.Positions, words.meta(example=[1])]
    reason: Annotated[str, words.meta("Why, for people.", words.REASON, example="paid in cash, see ticket 4711")]
    partition: words.OfPartition = None

    def check(self) -> None:
        super().check()
        groups.check_positions(self.positions)
        groups.check_reason(self.reason)
        groups.check_partition(self.partition)


# --- What they answer, where the store gives what is inside ----------------------------------------------------------


class DeliveryList(msgspec.Struct, frozen=True):
    """Events that are now with a member."""

    deliveries: Annotated[
        tuple[Delivery, ...], words.meta("In the order of their positions, as far as each is free to be delivered.")
    ]


class InFlightList(msgspec.Struct, frozen=True):
    """All events that are with members."""

    in_flight: Annotated[tuple[InFlight, ...], words.meta("By position.")]


class Redriven(msgspec.Struct, frozen=True):
    """What became of parked events."""

    redriven: Annotated[int, words.meta("How many aggregates go on.", words.COUNT, example=1)]


class Skipped(msgspec.Struct, frozen=True):
    """What became of parked events."""

    skipped: Annotated[int, words.meta("How many were skipped.", words.COUNT, example=1)]


# --- The rows --------------------------------------------------------------------------------------------------------


async def _redrive_parked(store: Any, asked: RedriveParked) -> int:
    asked.check()
    redriven: int = await store.groups.redrive_parked(asked.group, asked.positions, partition=asked.partition)
    return redriven


PULL: Final = Operation[Pull, tuple[Delivery, ...]](
    name="pull", store_method="groups.pull", section="Consumer groups", summary="Get events for a member",
    description="Events of one aggregate come one at a time: the next one is delivered once this one is acknowledged. "
    "When there is none to deliver, the answer waits for some, at most `wait_s` seconds, and is an empty list then.\n\n"
    "Acknowledge each event before its `deadline`, or refuse it; else it is delivered again. When the caller goes away "
    "before it is answered, its events are delivered to others.",
    parameters=Pull, answer=DeliveryList, answer_field="deliveries",
    answers="Events that are now with the member; none when there is none.",
    http="POST /v1/groups/{group}/pull", grpc="ConsumerGroups.Pull",
    retry="poll", permission="consume", errors=GROUP_CHANGE_ERRORS,
)  # fmt: skip
ACK: Final = Operation[Ack, Settled](
    name="ack", store_method="groups.ack", section="Consumer groups", summary="Acknowledge deliveries",
    description="Their events are done; the answer comes once that is on stable storage. May be repeated.",
    parameters=Ack, answer=Settled, answers="How many took effect, and which did not.",
    http="POST /v1/groups/{group}/ack", grpc="ConsumerGroups.Ack",
    retry="idempotent", permission="consume", errors=GROUP_CHANGE_ERRORS,
)  # fmt: skip
NACK: Final = Operation[Nack, Settled](
    name="nack", store_method="groups.nack", section="Consumer groups", summary="Refuse deliveries",
    description="Their events are delivered again after `delay_s`, or parked: after the last attempt, or at once with "
    "`park`. May be repeated.",
    parameters=Nack, answer=Settled, answers="How many took effect, and which did not.",
    http="POST /v1/groups/{group}/nack", grpc="ConsumerGroups.Nack",
    retry="idempotent", permission="consume", errors=GROUP_CHANGE_ERRORS,
)  # fmt: skip
EXTEND: Final = Operation[Extend, Settled](
    name="extend", store_method="groups.extend", section="Consumer groups", summary="Take more time",
    description="Moves the deadlines of these deliveries to `ack_timeout_s` from now. May be repeated.",
    parameters=Extend, answer=Settled, answers="How many took effect, and which did not.",
    http="POST /v1/groups/{group}/extend", grpc="ConsumerGroups.Extend",
    retry="idempotent", permission="consume", errors=GROUP_CHANGE_ERRORS,
)  # fmt: skip
LIST_IN_FLIGHT: Final = Operation[OfGroup, tuple[InFlight, ...]](
    name="list_in_flight", store_method="groups.list_in_flight", section="Consumer groups",
    summary="List events in flight",
    description="All events that are with members, by position.",
    parameters=OfGroup, answer=InFlightList, answer_field="in_flight", answers="All of them.",
    http="GET /v1/groups/{group}/in-flight", grpc="ConsumerGroups.ListInFlight",
    retry="read", permission="read", errors=("group_not_found",),
)  # fmt: skip
LIST_PARKED: Final = Operation[ListParked, ParkedList](
    name="list_parked", store_method="groups.list_parked", section="Consumer groups", summary="List parked events",
    description="A page of the events that were given up, by position. Each holds up those that follow in its "
    "aggregate, until it is redriven or skipped. Give a page's `cursor` as `after` of the next one, or follow `Link`, "
    "until `at_end`.",
    parameters=ListParked, answer=ParkedList, answers="A page of parked events.",
    http="GET /v1/groups/{group}/parked", answer_headers=("Link",), grpc="ConsumerGroups.ListParked",
    retry="read", permission="read", errors=("group_not_found",),
)  # fmt: skip
SKIP_PARKED: Final = Operation[SkipParked, int](
    name="skip_parked", store_method="groups.skip_parked", section="Consumer groups", summary="Pass over parked events",
    description="Those that follow them are delivered. The reason is recorded. When one of the positions is not that "
    "of a parked event, nothing happens: `parked_event_not_found`.",
    parameters=SkipParked, answer=Skipped, answer_field="skipped", answers="How many were skipped.",
    http="POST /v1/groups/{group}/parked/skip", grpc="ConsumerGroups.SkipParked",
    retry="once", permission="admin", errors=(*GROUP_CHANGE_ERRORS, "parked_event_not_found"),
)  # fmt: skip
REDRIVE_PARKED: Final = Operation(
    name="redrive_parked", store_method="groups.redrive_parked", section="Consumer groups",
    summary="Deliver parked events again",
    description="Those at `positions`, or `all`, and then those that follow them. Their attempts count from zero. When "
    "one of the positions is not that of a parked event, nothing happens: `parked_event_not_found`.",
    parameters=RedriveParked, answer=Redriven, answer_field="redriven", answers="How many go on.",
    http="POST /v1/groups/{group}/parked/redrive", grpc="ConsumerGroups.RedriveParked",
    retry="once", permission="admin", errors=(*GROUP_CHANGE_ERRORS, "parked_event_not_found"), call=_redrive_parked,
)  # fmt: skip
LIST_SKIPPED: Final = Operation[ListSkipped, SkippedList](
    name="list_skipped", store_method="groups.list_skipped", section="Consumer groups", summary="List skipped events",
    description="A page of the events that somebody decided to pass over, by position. Give a page's `cursor` as "
    "`after` of the next one, or follow `Link`, until `at_end`.",
    parameters=ListSkipped, answer=SkippedList, answers="A page of skipped events.",
    http="GET /v1/groups/{group}/skipped", answer_headers=("Link",), grpc="ConsumerGroups.ListSkipped",
    retry="read", permission="read", errors=("group_not_found",),
)  # fmt: skip

CONSUME: Final = Operation[Consume, tuple[Delivery, ...]](
    name="consume", section="Consumer groups", summary="Be a member of a group",
    description="For as long as the stream is open: events come while fewer than `max_in_flight` are with the caller, "
    "who says on the same stream what became of them. When the stream ends, for whatever reason, what is still with "
    "the caller is delivered to others at once.",
    parameters=Consume, answer=DeliveryList, answer_field="deliveries",
    answers="Events that are now with the member, and what became of those that it spoke of.",
    grpc="ConsumerGroups.Consume",
    retry="once", permission="consume", errors=GROUP_CHANGE_ERRORS,
)  # fmt: skip

DELIVERY_OPERATIONS: Final[tuple[Operation[Any, Any], ...]] = (
    CONSUME, PULL, ACK, NACK, EXTEND, LIST_IN_FLIGHT, LIST_PARKED, SKIP_PARKED, REDRIVE_PARKED, LIST_SKIPPED,
)  # fmt: skip
