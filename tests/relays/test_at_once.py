"""How many events are sent together is learned from how long they take."""

from contextlib import suppress
from types import SimpleNamespace

import pytest

from indelible.limits import RELAY_AT_ONCE_EVENTS_MAX, RELAY_BROKER_TIMEOUT_S
from indelible.relays import at_once
from indelible.relays.at_once import AtOnce


class Broker:
    """Takes ``event_s`` for each event, and gives up when all together take too long."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.event_s = 0.0001
        self.now_s = 0.0
        self.counts: list[int] = []
        self._at_once = AtOnce()
        monkeypatch.setattr(at_once, "time", SimpleNamespace(monotonic=lambda: self.now_s))

    def send(self, events: int) -> None:
        with self._at_once.of(events) as count:
            self.counts.append(count)
            took_s = count * self.event_s
            self.now_s += min(took_s, RELAY_BROKER_TIMEOUT_S)
            if took_s > RELAY_BROKER_TIMEOUT_S:
                raise TimeoutError

    def try_to_send(self, events: int) -> None:
        with suppress(TimeoutError):
            self.send(events)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    return Broker(monkeypatch)


def test_a_whole_page_where_the_broker_is_quick(broker: Broker) -> None:
    for _ in range(5):
        broker.send(700)
    assert broker.counts == [700] * 5


def test_half_as_many_until_they_get_through_and_no_more_after_that(broker: Broker) -> None:
    broker.event_s = RELAY_BROKER_TIMEOUT_S / 100
    for _ in range(10):
        broker.try_to_send(700)
    assert broker.counts == [700, 350, 175, 87, *[43] * 6]


def test_one_at_least(broker: Broker) -> None:
    broker.event_s = 2 * RELAY_BROKER_TIMEOUT_S
    for _ in range(15):
        broker.try_to_send(700)
    assert broker.counts[-3:] == [1, 1, 1]


def test_more_again_once_the_broker_is_quick_again(broker: Broker) -> None:
    broker.event_s = 2 * RELAY_BROKER_TIMEOUT_S
    for _ in range(15):
        broker.try_to_send(700)
    broker.event_s = 0.0001
    for _ in range(12):
        broker.send(10_000)
    assert broker.counts[15:] == [2**n for n in range(10)] + [RELAY_AT_ONCE_EVENTS_MAX] * 2


def test_few_that_are_quick_say_nothing_of_many(broker: Broker) -> None:
    broker.event_s = RELAY_BROKER_TIMEOUT_S / 100
    for _ in range(5):
        broker.try_to_send(700)
    for _ in range(20):
        broker.send(3)
    broker.send(700)
    assert broker.counts[-1] == 43
