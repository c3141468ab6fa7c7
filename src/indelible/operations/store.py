"""The operations on aggregates, snapshots and catalogues."""

from typing import Annotated, Any, Final

import msgspec

from indelible import words
from indelible.events import AggregateKey, Snapshot, check_aggregate_type, check_version
from indelible.eventstore import AggregateInfo, AggregateList, AggregateTypeInfo, EventTypeInfo, Head
from indelible.limits import PAGE_EVENTS_DEFAULT
from indelible.operations.operation import Nothing, Operation, Parameters
from indelible.queries import check_list_cursor, check_page, check_prefix

# --- What they are asked with ----------------------------------------------------------------------------------------


class GetAggregate(Parameters, frozen=True):
    """Which aggregate."""

    aggregate_type: words.AggregateType
    aggregate_id: words.AggregateId

    def check(self) -> None:
        AggregateKey.checked(self.aggregate_type, self.aggregate_id)


class GetSnapshot(GetAggregate, frozen=True):
    """Of which aggregate, and as it was when."""

    at_version: words.AtVersion | None = None

    def check(self) -> None:
        super().check()
        if self.at_version is not None:
            check_version(self.at_version, "/at_version")


class SaveSnapshot(GetAggregate, frozen=True, kw_only=True):
    """A state to save."""

    version: Annotated[
        int, words.meta("The version whose state this is; not above the aggregate's.", words.VERSION, example=1)
    ]
    state: Annotated[msgspec.Raw, words.STATE]
    metadata: Annotated[msgspec.Raw, words.meta("A JSON object about the snapshot.", {"type": "object"})] | None = None

    def check(self) -> None:
        super().check()
        check_version(self.version, "/version")


class ListTypes(Parameters, frozen=True):
    """Which types."""

    prefix: words.Prefix = ""

    def check(self) -> None:
        check_prefix(self.prefix)


class ListAggregates(Parameters, frozen=True):
    """Which aggregates."""

    aggregate_type: (
        Annotated[str, words.meta("Only aggregates of this type.", words.AGGREGATE_TYPE, example="order")] | None
    ) = None
    prefix: Annotated[
        str,
        words.meta("Only ids that begin with this. An empty one restricts nothing.", words.NAME_OR_NONE, example="o-"),
    ] = ""
    after: words.PageAfter | None = None
    limit: words.PageLimit = PAGE_EVENTS_DEFAULT

    def check(self) -> None:
        if self.aggregate_type is not None:
            check_aggregate_type(self.aggregate_type)
        check_prefix(self.prefix)
        check_list_cursor(self.after)
        check_page(self.limit)


# --- What they answer, where the store gives what is inside ----------------------------------------------------------


class EventTypeList(msgspec.Struct, frozen=True):
    """What happens in this store."""

    event_types: Annotated[
        tuple[EventTypeInfo, ...], words.meta("Every pair of event type and aggregate type, ordered by both.")
    ]


class AggregateTypeList(msgspec.Struct, frozen=True):
    """What things happen to."""

    aggregate_types: Annotated[tuple[AggregateTypeInfo, ...], words.meta("Ordered by name.")]


# --- The rows --------------------------------------------------------------------------------------------------------

GET_AGGREGATE: Final = Operation[GetAggregate, AggregateInfo](
    name="get_aggregate", section="Read", summary="Get an aggregate's version",
    description="The version, and when its first and last event were stored.",
    parameters=GetAggregate, answer=AggregateInfo, answers="How far the aggregate has come.",
    http="GET /v1/aggregates/{aggregate_type}/{aggregate_id}", answer_headers=("ETag",), grpc="EventStore.GetAggregate",
    retry="read", permission="read", errors=("aggregate_not_found",),
)  # fmt: skip
SAVE_SNAPSHOT: Final = Operation[SaveSnapshot, Snapshot](
    name="save_snapshot", section="Snapshots", summary="Save a snapshot",
    description="One that is saved already at the same version is replaced. A version above the aggregate's is "
    "refused.",
    parameters=SaveSnapshot, answer=Snapshot, answers="The snapshot as it is saved.",
    http="PUT /v1/aggregates/{aggregate_type}/{aggregate_id}/snapshot", answer_headers=("ETag",),
    grpc="EventStore.SaveSnapshot",
    retry="idempotent", permission="append",
    errors=("aggregate_not_found", "payload_too_large", "shutting_down", "outcome_unknown", "storage_full"),
)  # fmt: skip
GET_SNAPSHOT: Final = Operation[GetSnapshot, Snapshot](
    name="get_snapshot", section="Snapshots", summary="Get a snapshot",
    description="The newest one, or the newest not above `at_version`.",
    parameters=GetSnapshot, answer=Snapshot, answers="The snapshot.",
    http="GET /v1/aggregates/{aggregate_type}/{aggregate_id}/snapshot", answer_headers=("ETag",),
    grpc="EventStore.GetSnapshot",
    retry="read", permission="read", errors=("snapshot_not_found",),
)  # fmt: skip
HEAD: Final = Operation[Nothing, Head](
    name="head", section="Catalogue", summary="Get the head of the log",
    description="The last committed position, and the cursor there: reading the feed from it gives what comes later.",
    parameters=Nothing, answer=Head, answers="Where the log ends now.",
    http="GET /v1/head", grpc="EventStore.GetHead",
    retry="read", permission="read",
)  # fmt: skip
EVENT_TYPES: Final = Operation[ListTypes, tuple[EventTypeInfo, ...]](
    name="event_types", section="Catalogue", summary="List event types",
    description="Every pair of event type and aggregate type, with the number of events. With `prefix` those whose "
    "event type begins so.",
    parameters=ListTypes, answer=EventTypeList, answer_field="event_types", answers="All of them.",
    http="GET /v1/event-types", grpc="EventStore.ListEventTypes",
    retry="read", permission="read",
)  # fmt: skip
AGGREGATE_TYPES: Final = Operation[ListTypes, tuple[AggregateTypeInfo, ...]](
    name="aggregate_types", section="Catalogue", summary="List aggregate types",
    description="Every aggregate type, or those that begin with `prefix`, with the numbers of aggregates and events.",
    parameters=ListTypes, answer=AggregateTypeList, answer_field="aggregate_types", answers="All of them.",
    http="GET /v1/aggregate-types", grpc="EventStore.ListAggregateTypes",
    retry="read", permission="read",
)  # fmt: skip
LIST_AGGREGATES: Final = Operation[ListAggregates, AggregateList](
    name="list_aggregates", section="Catalogue", summary="List aggregates",
    description="A page of the aggregates, or of those whose id begins with `prefix`, ordered by type and id. Give a "
    "page's `cursor` as `after` of the next one, or follow `Link`, until `at_end`.",
    parameters=ListAggregates, answer=AggregateList, answers="A page of aggregates.",
    http="GET /v1/aggregates", answer_headers=("Link",), grpc="EventStore.ListAggregates",
    retry="read", permission="read",
)  # fmt: skip

STORE_OPERATIONS: Final[tuple[Operation[Any, Any], ...]] = (
    GET_AGGREGATE, SAVE_SNAPSHOT, GET_SNAPSHOT, HEAD, EVENT_TYPES, AGGREGATE_TYPES, LIST_AGGREGATES,
)  # fmt: skip
