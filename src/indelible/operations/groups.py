"""The operations on consumer groups themselves: what each is asked with, and its row."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from indelible import words
from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.groups import (
    GroupInfo,
    GroupSettings,
    Start,
    StartPoint,
    check_group,
)
from indelible.limits import (
    GROUP_ACK_TIMEOUT_DEFAULT_S,
    GROUP_ATTEMPTS_DEFAULT,
    GROUP_IN_FLIGHT_DEFAULT,
)
from indelible.operations.operation import Operation, Parameters
from indelible.queries import EventQuery, QueryItem

GROUP_CHANGE_ERRORS: Final = ("group_not_found", "shutting_down", "outcome_unknown", "storage_full")
"""Errors of whatever changes what a group knows."""

_StartOrNone = Annotated[
    Start, Meta(description="Which end of the log. Not with after or since.", examples=["beginning"])
]
_After = Annotated[
    Cursor,
    Meta(
        description="A cursor: from the first event after it on. Not with start or since.",
        extra_json_schema={"type": "string"},
    ),
]
_Since = Annotated[
    words.Time, Meta(description="From the first event of this time, or a later one, on. Not with start or after.")
]

# --- What they are asked with ----------------------------------------------------------------------------------------


class CreateGroup(Parameters, frozen=True):
    """What a group reads, and how."""

    group: words.Group
    items: Annotated[tuple[QueryItem, ...], words.ITEMS] = ()
    start: _StartOrNone | None = None
    after: _After | None = None
    since: _Since | None = None
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
        check_group(self.group)
        self.settings.checked()
        self.start_point.checked()


class ListGroups(Parameters, frozen=True):
    """Nothing to say."""


class GetGroup(Parameters, frozen=True):
    """Which group."""

    group: words.Group

    def check(self) -> None:
        check_group(self.group)


class ChangeGroup(Parameters, frozen=True):
    """Settings to change. What is missing stays as it is."""

    group: words.Group
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
        check_group(self.group)
        if not self.changes:
            raise InvalidRequest("give at least one of ack_timeout_s, max_attempts and max_in_flight")
        msgspec.structs.replace(GroupSettings(), **self.changes).checked()


class ResetGroup(Parameters, frozen=True):
    """Where to read on: one of start, after and since."""

    group: words.Group
    start: _StartOrNone | None = None
    after: _After | None = None
    since: _Since | None = None

    @property
    def start_point(self) -> StartPoint:
        return StartPoint(self.start, self.after, self.since)

    def check(self) -> None:
        check_group(self.group)
        if self.start is None and self.after is None and self.since is None:
            raise InvalidRequest("give one of start, after and since", pointer="/start")
        self.start_point.checked()


class DeleteGroup(GetGroup, frozen=True):
    """Which group."""


# --- What they answer, where the store gives what is inside ----------------------------------------------------------


class GroupList(msgspec.Struct, frozen=True):
    """Every group."""

    groups: Annotated[tuple[GroupInfo, ...], Meta(description="Ordered by name.")]


# --- The rows --------------------------------------------------------------------------------------------------------


async def _create(store: Any, asked: CreateGroup) -> GroupInfo:
    created: GroupInfo = await store.groups.create(
        asked.group, EventQuery(asked.items), start=asked.start, after=asked.after, since=asked.since,
        ack_timeout_s=asked.ack_timeout_s, max_attempts=asked.max_attempts, max_in_flight=asked.max_in_flight,
    )  # fmt: skip
    return created


CREATE_GROUP: Final = Operation(
    name="create_group",
    store_method="groups.create",
    section="Consumer groups",
    summary="Make a group",
    description="A group reads the log from `start` (the beginning, unless it is said), `after` a cursor, or `since` a "
    "time; one of them may be given. When it is there already, with the same query and settings, it is left as it is: "
    "a service may ask for its group whenever it starts. With others the answer is `group_exists`.",
    parameters=CreateGroup,
    answer=GroupInfo,
    answers="The group: made now, when `is_new` says so; else how far it has come.",
    method="PUT",
    path="/v1/groups/{group}",
    grpc="ConsumerGroups.CreateGroup",
    retry="idempotent",
    permission="manage",
    errors=("group_exists", "shutting_down", "outcome_unknown", "storage_full"),
    call=_create,
)
LIST_GROUPS: Final = Operation[ListGroups, tuple[GroupInfo, ...]](
    name="list_groups",
    store_method="groups.list",
    section="Consumer groups",
    summary="List groups",
    description="Every group, by name, and how far it has come.",
    parameters=ListGroups,
    answer=GroupList,
    answer_field="groups",
    answers="All of them.",
    method="GET",
    path="/v1/groups",
    grpc="ConsumerGroups.ListGroups",
    retry="read",
    permission="read",
)
GET_GROUP: Final = Operation[GetGroup, GroupInfo](
    name="get_group",
    store_method="groups.get",
    section="Consumer groups",
    summary="Get a group",
    description="Its settings, and how far it has come.",
    parameters=GetGroup,
    answer=GroupInfo,
    answers="The group.",
    method="GET",
    path="/v1/groups/{group}",
    grpc="ConsumerGroups.GetGroup",
    retry="read",
    permission="read",
    errors=("group_not_found",),
)
CHANGE_GROUP: Final = Operation[ChangeGroup, GroupInfo](
    name="change_group",
    store_method="groups.change",
    section="Consumer groups",
    summary="Change a group's settings",
    description="Those that are given count for deliveries from now on. A query cannot be changed: make another group, "
    "after this one's `cursor`.",
    parameters=ChangeGroup,
    answer=GroupInfo,
    answers="The group as it is now.",
    method="PATCH",
    path="/v1/groups/{group}",
    grpc="ConsumerGroups.ChangeGroup",
    retry="idempotent",
    permission="manage",
    errors=GROUP_CHANGE_ERRORS,
)
DELETE_GROUP: Final = Operation[DeleteGroup, None](
    name="delete_group",
    store_method="groups.delete",
    section="Consumer groups",
    summary="Delete a group",
    description="With what it knows of parked and skipped events. No event is deleted.",
    parameters=DeleteGroup,
    answer=None,
    answers="It is gone.",
    method="DELETE",
    path="/v1/groups/{group}",
    grpc="ConsumerGroups.DeleteGroup",
    retry="once",
    permission="manage",
    errors=GROUP_CHANGE_ERRORS,
)
RESET_GROUP: Final = Operation[ResetGroup, GroupInfo](
    name="reset_group",
    store_method="groups.reset",
    section="Consumer groups",
    summary="Read from another place on",
    description="From `start`, `after` a cursor, or `since` a time; backward, that delivers events again. Deliveries "
    "under way become lost. What is parked before the place stays parked; what comes after it is delivered anew.",
    parameters=ResetGroup,
    answer=GroupInfo,
    answers="The group as it is now.",
    method="POST",
    path="/v1/groups/{group}/reset",
    grpc="ConsumerGroups.ResetGroup",
    retry="idempotent",
    permission="manage",
    errors=GROUP_CHANGE_ERRORS,
)

GROUP_OPERATIONS: Final[tuple[Operation[Any, Any], ...]] = (
    CREATE_GROUP, LIST_GROUPS, GET_GROUP, CHANGE_GROUP, RESET_GROUP, DELETE_GROUP,
)  # fmt: skip
