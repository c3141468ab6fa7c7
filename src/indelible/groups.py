"""Consumer groups: what callers say and hear of them, and the part of the EventStore protocol that serves them.

A group reads the log for competing members. Each event that matches its query is delivered to one member, who
acknowledges it; the events of one aggregate are delivered one at a time, in order. An event that is not acknowledged in
time, or refused (nack), is delivered again; after ``max_attempts`` it is parked, and its aggregate with it, until
somebody redrives or skips it. The other aggregates go on.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, NamedTuple, Protocol

import msgspec

from indelible import words
from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.events import RecordedEvent, check_name, check_version, decode_event
from indelible.limits import (
    GROUP_ACK_TIMEOUT_DEFAULT_S,
    GROUP_ACK_TIMEOUT_MAX_S,
    GROUP_ACK_TIMEOUT_MIN_S,
    GROUP_ATTEMPTS_DEFAULT,
    GROUP_ATTEMPTS_MAX,
    GROUP_IN_FLIGHT_DEFAULT,
    GROUP_IN_FLIGHT_MAX,
    GROUP_NACK_DELAY_MAX_S,
    GROUP_PULL_DEFAULT,
    GROUP_PULL_MAX,
    GROUP_REASON_LENGTH_MAX,
    GROUP_SETTLE_MAX,
    GROUP_WAIT_MAX_S,
    PAGE_EVENTS_DEFAULT,
    PARTITIONS_MAX,
)
from indelible.queries import EVERYTHING, EventQuery, QueryItem, check_items, check_query, check_seconds, check_time

Start = Literal["beginning", "end"]


class GroupSettings(msgspec.Struct, frozen=True):
    """What a group was made with."""

    items: tuple[QueryItem, ...] = ()
    """Of its query: an event is for the group when it matches any of them; all are, when there is none."""
    ack_timeout_s: float = GROUP_ACK_TIMEOUT_DEFAULT_S
    """How long a member may take to acknowledge an event before it is delivered again."""
    max_attempts: int = GROUP_ATTEMPTS_DEFAULT
    """Deliveries of one event before it is parked."""
    max_in_flight: int = GROUP_IN_FLIGHT_DEFAULT
    """Events that are with members at once, those of all members together."""

    def checked(self) -> "GroupSettings":
        """Raises :class:`InvalidRequest` naming the first bad field."""
        return GroupSettings(
            check_items(self.items, "/items"),
            check_seconds(self.ack_timeout_s, "/ack_timeout_s", GROUP_ACK_TIMEOUT_MIN_S, GROUP_ACK_TIMEOUT_MAX_S),
            check_count(self.max_attempts, "/max_attempts", GROUP_ATTEMPTS_MAX),
            check_count(self.max_in_flight, "/max_in_flight", GROUP_IN_FLIGHT_MAX),
        )


class StartPoint(msgspec.Struct, frozen=True):
    """Where a group or a relay begins to read: at the beginning or the end of the log, after a cursor, or at a time.
    Where none is given, that is the beginning."""

    start: Start | None = None
    after: Cursor | None = None
    since: datetime | None = None

    def checked(self) -> "StartPoint":
        """Raises :class:`InvalidRequest` unless at most one is given."""
        if sum(value is not None for value in (self.start, self.after, self.since)) > 1:
            raise InvalidRequest("give one of start, after and since, not several", pointer="/start")
        if self.start not in (None, "beginning", "end"):
            raise InvalidRequest('must be "beginning" or "end"', pointer="/start")
        after = None if self.after is None else Cursor.parse(self.after)
        since = check_time(self.since, "/since")
        return StartPoint(self.start, after, since)

    def given(self) -> "StartPoint":
        """As :meth:`checked`, but one must be given."""
        if self == StartPoint():
            raise InvalidRequest("give one of start, after and since", pointer="/start")
        return self.checked()


class GroupInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A group, and how far it has come."""

    group: words.Group
    items: Annotated[tuple[QueryItem, ...], words.ITEMS]
    ack_timeout_s: words.AckTimeout
    max_attempts: words.MaxAttempts
    max_in_flight: words.MaxInFlight
    created: Annotated[words.Time, words.meta("When the group was made.")]
    cursor: Annotated[
        str, words.meta("The checkpoint: every matching event up to here is acknowledged, parked or skipped. Opaque.")
    ]
    position: Annotated[int, words.meta("The checkpoint's position; 0 before the first event.", words.COUNT)]
    lag: Annotated[
        int, words.meta("Positions from the checkpoint to the head, whether their events match or not.", words.COUNT)
    ]
    in_flight: Annotated[int, words.meta("Events that are with members.", words.COUNT)]
    waiting: Annotated[
        int, words.meta("Aggregates with an event that was read, or refused, and is to be delivered.", words.COUNT)
    ]
    parked: Annotated[int, words.meta("Parked events, those that follow in their aggregates included.", words.COUNT)]
    parked_aggregates: Annotated[int, words.meta("Aggregates that parked events hold up.", words.COUNT)]
    unreadable: Annotated[
        int,
        words.meta(
            "Of the parked aggregates, those whose event the store cannot read: it is damaged, or gone.", words.COUNT
        ),
    ]
    is_stalled: Annotated[
        bool,
        words.meta(
            "Whether so much is parked that nothing more is delivered until some is redriven or skipped; "
            "or an event is parked that is so damaged that nobody can tell its aggregate, and nothing after it is "
            "delivered."
        ),
    ]
    is_new: Annotated[bool, words.meta("Whether this call made the group; only in the answer to making one.")] = False


class Delivery(msgspec.Struct, frozen=True):
    """An event that is with a member, to be acknowledged before the deadline."""

    delivery_id: words.DeliveryId
    attempt: words.Attempt
    deadline: words.Deadline
    line: Annotated[msgspec.Raw, words.EVENT] = msgspec.field(name="event")
    """The event as a JSON line; ready to send on."""

    @property
    def event(self) -> RecordedEvent:
        return decode_event(bytes(self.line))


class Settled(msgspec.Struct, frozen=True):
    """What became of delivery ids that a member acknowledged, refused or extended."""

    settled: Annotated[int, words.meta("How many took effect, or had done so before.", words.COUNT)]
    lost: words.LostIds = ()


class InFlight(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event that is with a member."""

    position: words.Position
    aggregate_type: words.AggregateType
    aggregate_id: words.AggregateId
    version: words.Version
    attempt: words.Attempt
    member: words.Member
    deadline: words.Deadline
    partition: words.Partition = 0


class ParkedEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event that was given up, and holds up those that follow in its aggregate."""

    position: words.Position
    aggregate_type: words.AggregateTypeIfKnown
    aggregate_id: words.AggregateIdIfKnown
    version: words.VersionIfKnown
    attempts: words.Attempts
    reason: Annotated[
        str,
        words.meta(
            "Why it was refused last, or that its time was over; it begins with `store_corrupted` where "
            "the store cannot read the event."
        ),
    ]
    parked_at: Annotated[words.Time, words.meta("When it was parked.")]
    following: Annotated[int, words.meta("Later events of the aggregate that wait behind it.", words.COUNT)]
    partition: words.Partition = 0


class ParkedList(msgspec.Struct, frozen=True):
    """A page of what is parked, by position."""

    parked: Annotated[tuple[ParkedEvent, ...], words.meta("By position.")]
    cursor: words.PageCursor
    at_end: words.AtEnd


class SkippedEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """A parked event that somebody decided to pass over, and why."""

    position: words.Position
    aggregate_type: words.AggregateTypeIfKnown
    aggregate_id: words.AggregateIdIfKnown
    version: words.VersionIfKnown
    attempts: words.Attempts
    parked_reason: Annotated[str, words.meta("Why it was parked.")]
    reason: Annotated[str, words.meta("Why it was skipped.")]
    skipped_at: Annotated[words.Time, words.meta("When it was skipped.")]
    partition: words.Partition = 0


class SkippedList(msgspec.Struct, frozen=True):
    """A page of what was skipped, by position."""

    skipped: Annotated[tuple[SkippedEvent, ...], words.meta("By position.")]
    cursor: words.PageCursor
    at_end: words.AtEnd


class ConsumerGroups(Protocol):
    """The groups of a store. Methods that name a group raise ``GroupNotFound`` when it does not exist."""

    async def create(
        self,
        group: str,
        query: EventQuery = EVERYTHING,
        *,
        start: Start | None = None,
        after: Cursor | None = None,
        since: datetime | None = None,
        ack_timeout_s: float = GROUP_ACK_TIMEOUT_DEFAULT_S,
        max_attempts: int = GROUP_ATTEMPTS_DEFAULT,
        max_in_flight: int = GROUP_IN_FLIGHT_DEFAULT,
    ) -> GroupInfo:
        """Make a group of the events that match ``query``, which has no time window. It begins at ``start``
        ("beginning", the default, or "end"), ``after`` a cursor, or with the first event ``since`` a time.

        When there is one with the same query and settings already it is left as it is, so a service may call this
        whenever it starts. Raises ``GroupExists`` when they differ.
        """
        ...

    async def list(self) -> tuple[GroupInfo, ...]:
        """Every group, by name."""
        ...

    async def get(self, group: str) -> GroupInfo: ...

    async def change(
        self,
        group: str,
        *,
        ack_timeout_s: float | None = None,
        max_attempts: int | None = None,
        max_in_flight: int | None = None,
    ) -> GroupInfo:
        """Change settings; None leaves one as it is. They count for deliveries from now on. A query cannot be changed:
        make another group, after this one's cursor."""
        ...

    async def delete(self, group: str) -> None:
        """Delete a group, and what it knows of parked and skipped events. No event is deleted."""
        ...

    async def reset(
        self,
        group: str,
        *,
        start: Start | None = None,
        after: Cursor | None = None,
        since: datetime | None = None,
    ) -> GroupInfo:
        """Read from another place on; backward, that delivers events again. Raises ``InvalidRequest`` unless one is
        given.

        Deliveries under way become lost. What is parked before the place stays parked; what comes after it is
        delivered anew.
        """
        ...

    async def pull(
        self, group: str, *, member: str = "", limit: int = GROUP_PULL_DEFAULT, wait_s: float = 0.0
    ) -> tuple[Delivery, ...]:
        """Up to ``limit`` events for a member. When there is none, wait for some, at most ``wait_s`` seconds.

        ``member`` is for people to read: it need not be unique. Raises ``Overloaded``.
        """
        ...

    async def ack(self, group: str, delivery_ids: Sequence[str]) -> Settled:
        """Acknowledge deliveries: their events are done. Returns once that is on stable storage. May be repeated."""
        ...

    async def nack(
        self,
        group: str,
        delivery_ids: Sequence[str],
        *,
        delay_s: float = 0.0,
        reason: str = "",
        park: bool = False,
        untried: bool = False,
    ) -> Settled:
        """Refuse deliveries: their events are delivered again after ``delay_s``, or parked after their last attempt,
        or at once with ``park``. ``reason`` is kept with a parked event. ``untried``: nobody has looked at the events,
        so these deliveries do not count as attempts; not together with ``park``."""
        ...

    async def extend(self, group: str, delivery_ids: Sequence[str], *, ack_timeout_s: float | None = None) -> Settled:
        """Give the members of these deliveries ``ack_timeout_s`` from now; None: the group's."""
        ...

    async def list_in_flight(self, group: str) -> tuple[InFlight, ...]:
        """All events that are with members, by position."""
        ...

    async def list_parked(
        self, group: str, *, after: str | None = None, limit: int = PAGE_EVENTS_DEFAULT
    ) -> ParkedList:
        """A page of the parked events that hold up their aggregates. ``after`` is the cursor of an earlier page."""
        ...

    async def redrive_parked(
        self, group: str, positions: Sequence[int] | None = None, *, partition: int | None = None
    ) -> int:
        """Deliver parked events again, and then those that follow them: those at these positions, or all; of one
        partition, or of any. Their attempts count from zero. Returns how many aggregates go on. Raises
        ``ParkedEventNotFound``, and ``InvalidRequest`` for positions of which several partitions have an event parked,
        and for a partition that the store does not have; nothing happens then."""
        ...

    async def skip_parked(
        self, group: str, positions: Sequence[int], *, reason: str, partition: int | None = None
    ) -> int:
        """Pass over parked events: those that follow them are delivered. The reason is recorded. Returns how many were
        skipped. Raises as :meth:`redrive_parked` does."""
        ...

    async def list_skipped(
        self, group: str, *, after: str | None = None, limit: int = PAGE_EVENTS_DEFAULT
    ) -> SkippedList:
        """A page of the events that were skipped. ``after`` is the cursor of an earlier page."""
        ...


# --- Checks ----------------------------------------------------------------------------------------------------------


def check_group_query(query: EventQuery) -> tuple[QueryItem, ...]:
    """The items of a query without a time window."""
    query = check_query(query)
    for name in ("since", "until"):
        if getattr(query, name) is not None:
            raise InvalidRequest(
                "a group's query has no time window; a group can start since a time", pointer=f"/{name}"
            )
    return query.items


def check_group(group: object) -> str:
    return check_name(group, "/group")


def check_member(member: object) -> str:
    return "" if member == "" else check_name(member, "/member")


def check_count(value: object, pointer: str, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise InvalidRequest(f"must be an integer from 1 to {most}", pointer=pointer)
    return value


def check_pull(member: object, limit: object, wait_s: object) -> None:
    check_member(member)
    check_count(limit, "/limit", GROUP_PULL_MAX)
    check_seconds(wait_s, "/wait_s", 0.0, GROUP_WAIT_MAX_S)


def check_nack(delay_s: object, reason: object, park: object = False, untried: object = False) -> None:
    check_seconds(delay_s, "/delay_s", 0.0, GROUP_NACK_DELAY_MAX_S)
    check_reason(reason, least=0)
    for value, pointer in ((park, "/park"), (untried, "/untried")):
        if not isinstance(value, bool):
            raise InvalidRequest("must be true or false", pointer=pointer)
    if park and untried:
        raise InvalidRequest("an event that nobody has tried cannot be parked", pointer="/untried")


def check_ack_timeout(value: object) -> None:
    if value is not None:
        check_seconds(value, "/ack_timeout_s", GROUP_ACK_TIMEOUT_MIN_S, GROUP_ACK_TIMEOUT_MAX_S)


def check_reason(reason: object, *, least: int = 1, pointer: str = "/reason") -> str:
    if not isinstance(reason, str):
        raise InvalidRequest(f"must be a string, not {type(reason).__name__}", pointer=pointer)
    if not least <= len(reason) <= GROUP_REASON_LENGTH_MAX or not _is_text(reason):
        raise InvalidRequest(f"must be text of {least} to {GROUP_REASON_LENGTH_MAX} characters", pointer=pointer)
    return reason


def _is_text(value: str) -> bool:
    """Whether every database can keep it."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def check_delivery_ids(delivery_ids: Sequence[str]) -> tuple["DeliveryKey", ...]:
    """What each id stands for."""
    return tuple(
        DeliveryKey.parse(one, f"/delivery_ids/{i}") for i, one in enumerate(_listed(delivery_ids, "/delivery_ids"))
    )


def check_partition(partition: object) -> int | None:
    if partition is None:
        return None
    if not isinstance(partition, int) or isinstance(partition, bool) or not 0 <= partition < PARTITIONS_MAX:
        raise InvalidRequest(f"must be an integer from 0 to {PARTITIONS_MAX - 1}", pointer="/partition")
    return partition


def check_partition_of(partition: object, partitions: int) -> int | None:
    """As :func:`check_partition`, of a store that has so many."""
    checked = check_partition(partition)
    if checked is not None and checked >= partitions:
        has = "one partition, 0" if partitions == 1 else f"partitions 0 to {partitions - 1}"
        raise InvalidRequest(f"is {checked}; the store has {has}", pointer="/partition")
    return checked


def check_positions(positions: Sequence[int]) -> tuple[int, ...]:
    checked = tuple(check_version(one, f"/positions/{i}") for i, one in enumerate(_listed(positions, "/positions")))
    return tuple(dict.fromkeys(checked))


def _listed(values: Sequence[Any], pointer: str) -> Sequence[Any]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Sequence):
        raise InvalidRequest("must be a list", pointer=pointer)
    if not 1 <= len(values) <= GROUP_SETTLE_MAX:
        raise InvalidRequest(f"must hold from 1 to {GROUP_SETTLE_MAX} entries, not {len(values)}", pointer=pointer)
    return values


class DeliveryKey(NamedTuple):
    """What a delivery id stands for."""

    position: int
    number: int
    """The delivery's in its group; no other has it, whatever becomes of the group."""
    partition: int | None = None
    """None in a store of one."""

    @property
    def delivery_id(self) -> str:
        own = f"{self.position}-{self.number}"
        return own if self.partition is None else f"{own}.{self.partition}"

    @classmethod
    def parse(cls, text: object, pointer: str) -> "DeliveryKey":
        found = _read_delivery_id(text) if isinstance(text, str) else None
        if found is None:
            raise InvalidRequest("is not a delivery id of this store", pointer=pointer)
        return cls(int(found[1]), int(found[2]), None if found[3] is None else int(found[3]))


_read_delivery_id: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,18})(?:\.([0-9]{1,2}))?").fullmatch
"""Numbers that every database takes."""
