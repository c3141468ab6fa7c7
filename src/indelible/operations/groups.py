"""The operations on consumer groups themselves: what each is asked with, and its row."""

from typing import Annotated, Any, Final

import msgspec

from indelible import words
from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.groups import GroupInfo, GroupSettings, Start, StartPoint, check_group
from indelible.limits import GROUP_ACK_TIMEOUT_DEFAULT_S, GROUP_ATTEMPTS_DEFAULT, GROUP_IN_FLIGHT_DEFAULT
from indelible.operations.operation import Nothing, Operation, Parameters
from indelible.queries import EventQuery, QueryItem

GROUP_CHANGE_ERRORS: Final = ("group_not_found", "shutting_down", "outcome_unknown", "storage_full")
"""Errors of whatever changes what a group knows."""

StartOrNone = Annotated[Start, words.meta("Which end of the log. Not with after or since.", example="beginning")]
After = Annotated[
    Cursor, words.meta("A cursor: from the first event after it on. Not with start or since.", {"type": "string"})
]
Since = Annotated[
    words.Time, words.meta("From the first event of this time, or a later one, on. Not with start or after.")
]

# --- What they are asked with ----------------------------------------------------------------------------------------


class OfGroup(Parameters, frozen=True):
    """Which group."""

    group: words.Group

    def check(self) -> None:
        check_group(self.group)


class CreateGroup(OfGroup, frozen=True):
    """What a group reads, and how."""

    items: Annotated[tuple[QueryItem, ...], words.ITEMS] = ()
    start: StartOrNone | None = None
    after: After | None = None
    since: Since | None = None
    ack_timeout_s: words.AckTimeout = GROUP_ACK_TIMEOUT_DEFAULT_S
    max_attempts: words.MaxAttempts = GROUP_ATTEMPTS_DEFAULT
    max_in_flight: words.MaxInFlight = GROUP_IN_FLIGHT_DEFAULT

    @property
    def settings(self) -> GroupSettings:
        return GroupSettings(self.items, self.ack_timeout_s, self.max_attempts, self.max_in_flight)

    @property
    def start_point(self) -> StartPoint:
        return StartPoint(self.start, self.after, self.since)

    def check(self) -> None:
        super().check()
        self.settings.checked()
        self.start_point.checked()


class ChangeGroup(OfGroup, frozen=True):
    """Settings to change. What is missing stays as it is."""

    ack_timeout_s: words.AckTimeout | None = None
    max_attempts: words.MaxAttempts | None = None
    max_in_flight: words.MaxInFlight | None = None

    @property
    def changes(self) -> dict[str, Any]:
        """The settings that are given."""
        given = msgspec.structs.asdict(self)
        return {
            name: given[name] for name in ("ack_timeout_s", "max_attempts", "max_in_flight") if given[name] is not None
        }

    def check(self) -> None:
        super().check()
        if not self.changes:
            raise InvalidRequest("give at least one of ack_timeout_s, max_attempts and max_in_flight")
        msgspec.structs.replace(GroupSettings(), **self.changes).checked()


class ResetGroup(OfGroup, frozen=True):
    """Where to read on: one of start, after and since."""

    start: StartOrNone | None = None
    after: After | None = None
    since: Since | None = None

    @property
    def start_point(self) -> StartPoint:
        return StartPoint(self.start, self.after, self.since)

    def check(self) -> None:
        super().check()
        self.start_point.given()


# --- What they answer, where the store gives what is inside ----------------------------------------------------------


class GroupList(msgspec.Struct, frozen=True):
    """Every group."""

    groups: Annotated[tuple[GroupInfo, ...], words.meta("Ordered by name.")]


# --- The rows --------------------------------------------------------------------------------------------------------


async def _create(store: Any, asked: CreateGroup) -> GroupInfo:
    created: GroupInfo = await store.groups.create(
        asked.group, EventQuery(asked.items), start=asked.start, after=asked.after, since=asked.since,
        ack_timeout_s=asked.ack_timeout_s, max_attempts=asked.max_attempts, max_in_flight=asked.max_in_flight,
    )  # fmt: skip
    return created


CREATE_GROUP: Final = Operation(
    name="create_group", store_method="groups.create", section="Consumer groups", summary="Make a group",
    description="A group reads the log from `start` (the beginning, unless it is said), `after` a cursor, or `since` a "
    "time; one of them may be given. When it is there already, with the same query and settings, it is left as it is: "
    "a service may ask for its group whenever it starts. With others the answer is `group_exists`.",
    parameters=CreateGroup, answer=GroupInfo,
    answers="The group: made now, when `is_new` says so; else how far it has come.",
    http="PUT /v1/groups/{group}", grpc="ConsumerGroups.CreateGroup",
    retry="idempotent", permission="admin", errors=("group_exists", "shutting_down", "outcome_unknown", "storage_full"),
    call=_create,
)  # fmt: skip
LIST_GROUPS: Final = Operation[Nothing, tuple[GroupInfo, ...]](
    name="list_groups", store_method="groups.list", section="Consumer groups", summary="List groups",
    description="Every group, by name, and how far it has come.",
    parameters=Nothing, answer=GroupList, answer_field="groups", answers="All of them.",
    http="GET /v1/groups", grpc="ConsumerGroups.ListGroups",
    retry="read", permission="read",
)  # fmt: skip
GET_GROUP: Final = Operation[OfGroup, GroupInfo](
    name="get_group", store_method="groups.get", section="Consumer groups", summary="Get a group",
    description="Its settings, and how far it has come.",
    parameters=OfGroup, answer=GroupInfo, answers="The group.",
    http="GET /v1/groups/{group}", grpc="ConsumerGroups.GetGroup",
    retry="read", permission="read", errors=("group_not_found",),
)  # fmt: skip
CHANGE_GROUP: Final = Operation[ChangeGroup, GroupInfo](
    name="change_group", store_method="groups.change", section="Consumer groups", summary="Change a group's settings",
    description="Those that are given count for deliveries from now on. A query cannot be changed: make another group, "
    "after this one's `cursor`.",
    parameters=ChangeGroup, answer=GroupInfo, answers="The group as it is now.",
    http="PATCH /v1/groups/{group}", grpc="ConsumerGroups.ChangeGroup",
    retry="idempotent", permission="admin", errors=GROUP_CHANGE_ERRORS,
)  # fmt: skip
DELETE_GROUP: Final = Operation[OfGroup, None](
    name="delete_group", store_method="groups.delete", section="Consumer groups", summary="Delete a group",
    description="With what it knows of parked and skipped events. No event is deleted.",
    parameters=OfGroup, answer=None, answers="It is gone.",
    http="DELETE /v1/groups/{group}", grpc="ConsumerGroups.DeleteGroup",
    retry="once", permission="admin", errors=GROUP_CHANGE_ERRORS,
)  # fmt: skip
RESET_GROUP: Final = Operation[ResetGroup, GroupInfo](
    name="reset_group", store_method="groups.reset", section="Consumer groups", summary="Read from another place on",
    description="From `start`, `after` a cursor, or `since` a time; backward, that delivers events again. Deliveries "
    "under way become lost. What is parked before the place stays parked; what comes after it is delivered anew.",
    parameters=ResetGroup, answer=GroupInfo, answers="The group as it is now.",
    http="POST /v1/groups/{group}/reset", grpc="ConsumerGroups.ResetGroup",
    retry="idempotent", permission="admin", errors=GROUP_CHANGE_ERRORS,
)  # fmt: skip

GROUP_OPERATIONS: Final[tuple[Operation[Any, Any], ...]] = (
    CREATE_GROUP, LIST_GROUPS, GET_GROUP, CHANGE_GROUP, RESET_GROUP, DELETE_GROUP,
)  # fmt: skip
