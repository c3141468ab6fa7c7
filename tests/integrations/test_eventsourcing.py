"""What the suites of ``eventsourcing`` do not ask of its recorders here: how events lie in the store, whom they share
it with, and what is refused."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.persistence import (
    DataError,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
    Tracking,
)
from eventsourcing.utils import Environment

from indelible import Client, NewEvent
from indelible.integrations.eventsourcing import IndelibleFactory
from indelible.limits import EVENT_SIZE_BYTES_MAX, PAGE_EVENTS_MAX, QUERY_NAMES_MAX

ANY = UUID("11111111-2222-4333-8444-555555555555")


def factory_for(url: str, name: str = "Bank", **more: str) -> IndelibleFactory:
    return IndelibleFactory(Environment(name, {"INDELIBLE_URL": url, **more}))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path}/log.db"


@pytest.fixture
def factory(url: str) -> Iterator[IndelibleFactory]:
    with factory_for(url) as factory:
        yield factory
        factory.close()


def some(versions: range, originator_id: UUID | str = ANY, state: bytes = b"{}") -> list[StoredEvent]:
    return [StoredEvent(originator_id, version, "bank:Account.Credited", state) for version in versions]


def versions(events: Any) -> list[int]:
    return [event.originator_version for event in events]


# --- How events lie in the store -------------------------------------------------------------------------------------


def test_events_read_as_any_other_of_the_store(factory: IndelibleFactory, url: str):
    factory.application_recorder().insert_events(some(range(1, 3), state='{"to":"Zoë","amount":1.0}'.encode()))
    factory.close()
    with Client(url) as client:
        first, second = client.iter_aggregate("Bank", str(ANY))
    assert (first.event_type, first.version, second.version) == ("bank:Account.Credited", 1, 2)
    assert (first.event_data, first.metadata) == ({"to": "Zoë", "amount": 1.0}, {})


@pytest.mark.parametrize(
    "state", [b"", b"\x00\xff", b"{ }", b'{"a": 1}', b'"text"', b"NaN", b"1e999", b'"\\ud800"', b"{}\n"]
)
def test_states_come_back_byte_for_byte(factory: IndelibleFactory, state: bytes):
    recorder = factory.application_recorder()
    recorder.insert_events(some(range(1, 2), state=state))
    assert recorder.select_events(ANY) == some(range(1, 2), state=state)
    snapshots = factory.aggregate_recorder("snapshots")
    snapshots.insert_events(some(range(1, 2), state=state))
    assert snapshots.select_events(ANY) == some(range(1, 2), state=state)
    dcb = factory.dcb_recorder()
    dcb.append([DCBEvent("X", state, ["a"])])
    assert [each.event.data for each in dcb.read(DCBQuery([DCBQueryItem(tags=["a"])]))] == [state]


@pytest.mark.parametrize("first", [0, 1])
def test_versions_begin_at_0_or_1(factory: IndelibleFactory, first: int):
    recorder = factory.application_recorder()
    for version in range(first, first + 4):
        recorder.insert_events(some(range(version, version + 1)))
        with pytest.raises(IntegrityError):
            recorder.insert_events(some(range(version, version + 1)))
    every = range(first, first + 4)
    assert versions(recorder.select_events(ANY)) == [*every]
    assert versions(recorder.select_events(ANY, desc=True, limit=2)) == [*every][:1:-1]
    for gt in (None, -1, 0, 1, 3, 9):
        for lte in (None, -1, 0, 1, 3, 9):
            wanted = [version for version in every if (gt is None or version > gt) and (lte is None or version <= lte)]
            assert versions(recorder.select_events(ANY, gt=gt, lte=lte)) == wanted
            assert versions(recorder.select_events(ANY, gt=gt, lte=lte, desc=True, limit=1)) == wanted[-1:]
            assert versions(recorder.select_events(ANY, gt=gt, lte=lte, limit=1)) == wanted[:1]


@pytest.mark.parametrize("gap", [some(range(3, 4)), some(range(1, 4, 2), uuid4()), some(range(2, 3), uuid4())])
def test_a_gap_is_refused(factory: IndelibleFactory, gap: list[StoredEvent]):
    recorder = factory.application_recorder()
    recorder.insert_events(some(range(1, 2)))
    with pytest.raises(IntegrityError):
        recorder.insert_events(gap)
    assert recorder.max_notification_id() == 1


def test_events_of_many_aggregates_keep_their_order(factory: IndelibleFactory):
    one, other = uuid4(), uuid4()
    mixed = [event for pair in zip(some(range(1, 4), one), some(range(3), other), strict=True) for event in pair]
    recorder = factory.application_recorder()
    assert recorder.insert_events(mixed) == [1, 2, 3, 4, 5, 6]
    found = recorder.select_notifications(None, 10)
    assert [(each.originator_id, each.originator_version) for each in found] == [
        (event.originator_id, event.originator_version) for event in mixed
    ]
    assert recorder.insert_events(some(range(4, 5), one) + some(range(3, 4), other)) == [7, 8]


def test_ids_are_uuids_or_text(url: str):
    plain, uuid_text = "account-1", str(ANY)
    by_default, as_text = factory_for(url), factory_for(url, ORIGINATOR_ID_TYPE="text")
    recorder = by_default.application_recorder()
    recorder.insert_events(some(range(1, 2)) + some(range(1, 2), plain))
    assert [each.originator_id for each in recorder.select_notifications(None, 10)] == [ANY, plain]
    with pytest.raises(ProgrammingError, match="ORIGINATOR_ID_TYPE"):
        recorder.insert_events(some(range(2, 3), uuid_text))
    recorder = as_text.application_recorder()
    recorder.insert_events(some(range(2, 3), uuid_text))
    assert [each.originator_id for each in recorder.select_events(uuid_text)] == [uuid_text, uuid_text]


def test_many_topics_make_one_query(factory: IndelibleFactory):
    recorder = factory.application_recorder()
    recorder.insert_events(some(range(1, 2)))
    topics = [f"other-{n}" for n in range(QUERY_NAMES_MAX)]
    assert recorder.select_notifications(None, 10, topics=topics) == []
    assert len(recorder.select_notifications(None, 10, topics=[*topics, "bank:Account.Credited"])) == 1


# --- Stores that are shared ------------------------------------------------------------------------------------------


def test_applications_share_a_store_and_see_their_own(url: str):
    bank, shop = factory_for(url), factory_for(url, "Shop")
    assert bank.application_recorder().insert_events(some(range(1, 3))) == [1, 2]
    recorder = shop.application_recorder()
    assert recorder.insert_events(some(range(1, 2))) == [3]
    assert [each.id for each in recorder.select_notifications(1, 10)] == [3]
    bank.application_recorder().insert_events(some(range(3, 4)))
    assert recorder.max_notification_id() == 3
    shop.dcb_recorder().append([DCBEvent("X", b"{}")], DCBAppendCondition(after=3))
    bank.close()
    bank.close()
    assert len(recorder.select_events(ANY)) == 1
    shop.close()
    with pytest.raises(OperationalError):
        recorder.select_events(ANY)
    with Client(url) as client:
        assert client.head().position == 5


def test_a_forgotten_application_lets_go_of_its_store(url: str):
    factory_for(url).application_recorder().insert_events(some(range(1, 2)))
    with Client(url) as client:
        assert client.head().position == 1


def test_what_is_not_there_yet_is_no_error(factory: IndelibleFactory):
    assert factory.application_recorder().select_notifications(99, 10) == []
    response = factory.dcb_recorder().read(after=99)
    assert ([*response], response.head) == ([], None)


@pytest.mark.parametrize("dcb", [False, True])
def test_another_thread_stops_a_subscription_that_waits(factory: IndelibleFactory, dcb: bool):
    recorder: Any = factory.dcb_recorder() if dcb else factory.application_recorder()
    if dcb:
        recorder.append([DCBEvent("X", b"{}")])
    else:
        recorder.insert_events(some(range(1, 2)))
    seen: Future[int] = Future()
    ended: Future[None] = Future()

    def wait() -> None:
        for each in subscription:
            seen.set_result(each.position if dcb else each.id)
        ended.set_result(None)

    with recorder.subscribe() as subscription:
        Thread(target=wait, daemon=True).start()
        assert seen.result(30) == 1
        subscription.stop()
        ended.result(30)


# --- Tracking --------------------------------------------------------------------------------------------------------


def test_of_two_that_process_a_notification_one_stores(factory: IndelibleFactory):
    one, other = factory.process_recorder(), factory.process_recorder()
    assert one.insert_events(some(range(1, 2)), tracking=Tracking("up", 1)) == [1]
    # The other knows nothing of it yet, then too little, then enough.
    with pytest.raises(IntegrityError):
        other.insert_events(some(range(1, 2), uuid4()), tracking=Tracking("up", 1))
    assert other.insert_events(some(range(2, 3)), tracking=Tracking("up", 2)) == [3]
    with pytest.raises(IntegrityError):
        one.insert_events(some(range(1, 2), uuid4()), tracking=Tracking("up", 2))
    assert one.insert_events(some(range(3, 4)), tracking=Tracking("up", 5)) == [5]
    assert other.insert_events([], tracking=Tracking("up", 6)) == []
    assert one.max_tracking_id("up") == 6
    assert [each.id for each in one.select_notifications(None, 10)] == [1, 3, 5]


# --- Snapshots -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1])
def test_snapshots_are_the_stores_own(factory: IndelibleFactory, url: str, first: int):
    recorder, snapshots = factory.application_recorder(), factory.aggregate_recorder("snapshots")
    recorder.insert_events(some(range(first, first + 9)))
    taken = [*range(first, first + 9, 2)]
    for version in taken:
        snapshots.insert_events(some(range(version, version + 1)))
    assert versions(snapshots.select_events(ANY)) == taken
    assert versions(snapshots.select_events(ANY, desc=True, limit=1)) == taken[-1:]
    assert versions(snapshots.select_events(ANY, lte=taken[-1] - 1, desc=True, limit=1)) == taken[-2:-1]
    assert versions(snapshots.select_events(ANY, gt=taken[1], limit=2)) == taken[2:4]
    assert recorder.max_notification_id() == 9
    factory.close()
    with Client(url) as client:
        replay = client.replay("Bank", str(ANY), at_version=8)
        assert replay.snapshot is not None
        assert (replay.snapshot.version, replay.page.count) == (7, 1)
        client.save_snapshot("Bank", str(ANY), version=9, state={"of": "others"})
    with factory_for(url) as again:
        assert versions(again.aggregate_recorder("snapshots").select_events(ANY)) == taken[:-1]


def test_snapshots_of_what_is_not_there_are_refused(factory: IndelibleFactory):
    snapshots = factory.aggregate_recorder("snapshots")
    with pytest.raises(IntegrityError):
        snapshots.insert_events(some(range(1, 2)))
    factory.application_recorder().insert_events(some(range(1, 2)))
    with pytest.raises(DataError):
        snapshots.insert_events(some(range(2, 3)))


# --- Dynamic consistency boundaries ----------------------------------------------------------------------------------


def test_a_decision_lies_in_the_aggregate_of_its_first_tag(factory: IndelibleFactory, url: str):
    recorder = factory.dcb_recorder()
    given = [DCBEvent("Joined", b"{}", ["student-2", "course-1"]), DCBEvent("Closed", b"{}")]
    recorder.append(given)
    assert [each.event for each in recorder.read()] == given
    factory.close()
    with Client(url) as client:
        assert [event.aggregate_id for event in client.iter_feed()] == ["student-2", "Closed"]
        assert next(client.iter_feed()).tags == ("course-1", "student-2")


def test_the_head_of_many_pages_is_where_reading_ends(factory: IndelibleFactory):
    recorder = factory.dcb_recorder()
    count = PAGE_EVENTS_MAX + 7
    assert recorder.append([DCBEvent("X", b"{}", ["a"]) for _ in range(count)]) == count
    response = recorder.read(DCBQuery([DCBQueryItem(tags=["a"])]))
    recorder.append([DCBEvent("X", b"{}", ["a"])])
    assert [each.position for each in response] == [*range(1, count + 1)]
    assert response.head == count


def test_no_decision_is_no_append(factory: IndelibleFactory):
    with pytest.raises(ProgrammingError):
        factory.dcb_recorder().append([])


# --- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"INDELIBLE_URL": ""}, "BANK_INDELIBLE_URL, INDELIBLE_URL"),
        ({"INDELIBLE_URL": "nowhere:"}, "INDELIBLE_URL: 'nowhere:'"),
        ({"INDELIBLE_AGGREGATE_TYPE": "a-b"}, "INDELIBLE_AGGREGATE_TYPE"),
        ({"ORIGINATOR_ID_TYPE": "int"}, "must be uuid or text"),
    ],
)
def test_settings_that_are_not_allowed(environ: dict[str, str], said: str):
    with pytest.raises(OSError, match=said):
        IndelibleFactory(Environment("Bank", {"INDELIBLE_URL": "memory:", **environ}))


def test_recorders_of_another_kind_are_refused():
    factory = factory_for("memory:", PROCESS_RECORDER_TOPIC="eventsourcing.popo:POPOProcessRecorder")
    with pytest.raises(OSError, match="PROCESS_RECORDER_TOPIC"):
        factory.process_recorder()


def test_a_store_of_several_partitions_has_no_one_order():
    with pytest.raises(NotSupportedError, match="3 partitions"):
        factory_for("memory:?partitions=3")


@pytest.mark.parametrize(
    "event",
    [
        StoredEvent(ANY, 1, "X", b"x" * (EVENT_SIZE_BYTES_MAX + 1)),
        StoredEvent(ANY, 1, "", b""),
        StoredEvent("", 1, "X", b""),
        StoredEvent(ANY, -1, "X", b""),
    ],
)
def test_what_the_store_does_not_take(factory: IndelibleFactory, event: StoredEvent):
    with pytest.raises(DataError):
        factory.application_recorder().insert_events([event])


def test_a_store_that_another_has_open_is_said(url: str):
    with Client(url) as client:
        client.append("Order", "1", [NewEvent("X")])
        with pytest.raises(OperationalError):
            factory_for(url)
