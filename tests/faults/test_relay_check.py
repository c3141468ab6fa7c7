"""The check of what consumers of a broker got finds what it is for."""

from collections.abc import Callable, Sequence

import pytest

from faults.relay_check import Checked, Repeats, check
from indelible import AsyncClient, NewEvent, RecordedEvent
from indelible.eventstore import FeedPage
from indelible.relay_state import RelayLease
from indelible.relays.messages import Binding, messages_of
from indelible.testing.conformance import Received
from relays.brokers import KINDS, Kind

ONCE = KINDS["nats"]
AGAIN = Kind(ONCE.serve, remembers=False, fences=True, order="aggregate")
AT_ONCE_MAX = 4
Messages = list[Received]


@pytest.fixture
async def page(event_store: AsyncClient) -> FeedPage:
    """20 events of 4 aggregates, in turn."""
    for n in range(20):
        await event_store.append("order", str(n % 4), [NewEvent("Placed", {"n": n})])
    return await event_store.read_feed()


@pytest.fixture
def log(page: FeedPage) -> Sequence[RecordedEvent]:
    return page.events


def published(page: FeedPage, epoch: int = 1) -> Messages:
    lease = RelayLease(
        relay="orders", epoch=epoch, cursor=page.cursor, published=0, is_paused=False, is_stopped=False, reset_epoch=0
    )
    messages = messages_of(page, lease, Binding("ce_", is_quoted=False), "binary", None)
    return [Received({**one.headers, "content-type": one.content_type}, one.data, "place") for one in messages]


def checked(found: Messages, log: Sequence[RecordedEvent], kind: Kind = ONCE) -> Checked:
    return check(found, log, kind, repeats_at_once_max=AT_ONCE_MAX)


def test_a_good_run(page: FeedPage, log: Sequence[RecordedEvent]) -> None:
    first, second = published(page), published(page, 2)
    assert checked([*first[:7], *second[7:]], log) == Checked(20, [], [1, 2], [])
    again = checked([*first[:7], *second[5:9], *second[8:]], log, AGAIN)
    assert again == Checked(23, [Repeats(6, 2), Repeats(9, 1)], [1, 2], [])


def test_aggregates_may_come_in_any_order_where_the_broker_has_none(
    page: FeedPage, log: Sequence[RecordedEvent]
) -> None:
    found = sorted(published(page), key=lambda one: one.headers["ce_source"])
    assert checked(found, log, AGAIN).violations == []
    assert "disorder: position 2 came behind 17" in checked(found, log).violations


def _with_header(one: Received, name: str, value: str) -> Received:
    return one._replace(headers={**one.headers, name: value})


VIOLATIONS: dict[str, tuple[Callable[[Messages, Messages], Messages], str]] = {
    "an event is missing": (lambda one, _: [*one[:5], *one[6:]], "missing: position 6 did not come"),
    "the end is missing": (lambda one, _: one[:-1], "missing: position 20 did not come"),
    "an event comes from nowhere": (
        lambda one, _: [*one, _with_header(one[0], "ce_id", "1")], "foreign: nobody appended event 1"
    ),
    "a message is no event": (lambda one, _: [*one, Received({}, b"?", "place")], "foreign: "),
    "a header is missing": (
        lambda one, _: [*one[:-1], one[-1]._replace(headers={"ce_specversion": "1.0"})], "foreign: "
    ),
    "two of an aggregate change places": (
        lambda one, _: [*one[:4], one[8], *one[5:8], one[4], *one[9:]], "disorder: position "
    ),
    "data is another's": (
        lambda one, _: [one[0]._replace(data=one[1].data), *one[1:]], "changed: position 1 came with other data"
    ),
    "a position is another's": (
        lambda one, _: [_with_header(one[0], "ce_position", "3"), *one[1:]], "changed: position 1 came as 3"
    ),
    "an event comes as a replay": (
        lambda one, _: [_with_header(one[0], "indelible-replay", "r"), *one[1:]], "changed: position 1 came as a replay"
    ),
    "an earlier owner comes through": (
        lambda one, two: [*one[:5], *two[5:9], *one[9:12], *two[12:]],
        "stale: position 10 of epoch 1 came behind epoch 2",
    ),
    "an earlier owner repeats": (
        lambda one, two: [*one[:5], *two[5:9], one[8], *two[9:]], "stale: position 9 of epoch 1 came behind epoch 2"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", [ONCE, AGAIN], ids=["once", "again"])
@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_is_found(name: str, kind: Kind, page: FeedPage, log: Sequence[RecordedEvent]) -> None:
    make, violation = VIOLATIONS[name]
    found = checked(make(published(page), published(page, 2)), log, kind)
    assert any(one.startswith(violation) for one in found.violations), found.violations


def test_repeats_are_found(page: FeedPage, log: Sequence[RecordedEvent]) -> None:
    one = published(page)
    few, many = [*one[:9], *one[5:]], [*one[:9], *one[4:]]
    assert checked(few, log).violations == ["repeated: 4 events from position 6 on came again"]
    assert checked(few, log, AGAIN).violations == []
    assert checked(many, log, AGAIN).violations == ["repeated: 5 events came again together from position 5 on"]


def test_many_violations_are_told_in_short(page: FeedPage, log: Sequence[RecordedEvent]) -> None:
    found = checked(published(page)[:10], log).violations
    assert len(found) == 6
    assert found[-1] == "missing: 5 more"
