"""Appends, reads and consumes with a client made of /openapi.json: python orders.py URL"""

import json
import sys
from typing import TypeVar
from uuid import UUID

from indelible_api import Client
from indelible_api.api.append import append, append_atomic, append_batch
from indelible_api.api.consumer_groups import ack, create_group, pull
from indelible_api.api.read import read_aggregate, read_feed
from indelible_api.models import (
    Ack,
    AggregateAppend,
    AggregateAppendExpectedVersionType1,
    AggregateNotFound,
    AggregatePage,
    Append,
    AppendExpectedVersionType1,
    AppendResult,
    AtomicAppend,
    AtomicAppendResult,
    Batch,
    BatchResults,
    Condition,
    ConditionFailed,
    CreateGroup,
    DeliveryList,
    FeedPage,
    Group,
    NewEvent,
    NewEventMetadata,
    Pull,
    QueryItem,
    Settled,
    VersionConflict,
)

T = TypeVar("T")
KEY = ("order", "o/1 ü")


def given(kind: type[T], answer: object) -> T:
    assert isinstance(answer, kind), answer
    return answer


def append_events(client: Client) -> None:
    placed = NewEvent(
        event_id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
        event_type="OrderPlaced",
        event_data={"total": 42.5},
        metadata=NewEventMetadata.from_dict({"by": "ada"}),
        tags=["customer:ada"],
    )
    paid = NewEvent(event_type="OrderPaid", event_data=None)
    body = Append(events=[placed], expected_version=AppendExpectedVersionType1.NONE)
    first = given(AppendResult, append.sync(*KEY, client=client, body=body))
    print("appended version", first.version, json.dumps(first.replayed))
    again = given(AppendResult, append.sync(*KEY, client=client, body=Append(events=[placed])))
    print("replayed", json.dumps(again.replayed))
    stale = append.sync(*KEY, client=client, body=Append(events=[paid], expected_version=7))
    print("refused at version", given(VersionConflict, stale).actual_version)
    guarded = append.sync(*KEY, client=client, body=Append(events=[paid]), if_match='"1"')
    print("appended version", given(AppendResult, guarded).version)
    shipped = AggregateAppend("parcel", "1", [NewEvent(event_type="ParcelSent", event_data=[1])])
    atomic = AtomicAppend([shipped], Condition(fail_if=[QueryItem(event_types=["ParcelSent"])]))
    print("position", given(AtomicAppendResult, append_atomic.sync(client=client, body=atomic)).position)
    print("condition failed at", given(ConditionFailed, append_atomic.sync(client=client, body=atomic)).position)
    shipped.expected_version = AggregateAppendExpectedVersionType1.NONE
    batch = given(BatchResults, append_batch.sync(client=client, body=Batch([shipped])))
    for one in batch.results:
        print("outcome", one.status, one.body.version if isinstance(one.body, AppendResult) else one.body.code.value)


def read_events(client: Client) -> None:
    page = given(AggregatePage, read_aggregate.sync(*KEY, client=client, limit=1))
    print("page", *(event.event_type for event in page.events), page.next_version)
    feed = given(FeedPage, read_feed.sync(client=client, tag=["customer:ada"], event_type=["OrderPlaced", "OrderPaid"]))
    for event in feed.events:
        print("read", event.event_type, json.dumps(event.event_data, separators=(",", ":")), event.metadata["by"])
    rest = given(FeedPage, read_feed.sync(client=client, after=feed.cursor))
    print("after the cursor", len(rest.events), json.dumps(rest.at_end))
    missing = read_aggregate.sync_detailed("order", "none", client=client)
    print(missing.status_code.value, given(AggregateNotFound, missing.parsed).code)


def consume_events(client: Client) -> None:
    body = CreateGroup(items=[QueryItem(event_types=["OrderPlaced", "OrderPaid"])])
    made = given(Group, create_group.sync("billing", client=client, body=body))
    print("group", made.group, made.max_attempts)
    while deliveries := given(DeliveryList, pull.sync("billing", client=client, body=Pull())).deliveries:
        for delivery in deliveries:
            print("delivered", delivery.event.event_type, delivery.attempt)
        done = Ack([delivery.delivery_id for delivery in deliveries])
        print("acknowledged", given(Settled, ack.sync("billing", client=client, body=done)).settled)


if __name__ == "__main__":
    with Client(base_url=sys.argv[1]) as connected:
        append_events(connected)
        read_events(connected)
        consume_events(connected)
