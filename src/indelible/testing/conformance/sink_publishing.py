"""What a sink publishes, remembers and refuses while its broker is well."""

import asyncio
import json
from typing import Final

import pytest
from msgspec.structs import replace

from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.events import NewEvent, RecordedEvent
from indelible.eventstore import EventStore
from indelible.relays.messages import word
from indelible.relays.sink import Reached, Replay, SinkFenced, SinkRefused, SinkUnavailable
from indelible.testing.conformance.helpers import ODD_NAMES, unique
from indelible.testing.conformance.sink_broker import Seen, SinkBroker, attributes_of, prefix_of
from indelible.testing.conformance.sink_publisher import (
    PATIENCE_S,
    Publisher,
    append_some,
    check_events,
    check_order,
    check_received,
    check_whole,
    claim,
    first_of_page,
    log_of,
    needs,
    page_behind,
    seen_by_consumers,
)
from indelible.wire.cloudevents import CLOUDEVENT_CONTENT_TYPE, context_of, encode_cloud_event, encode_headers

_TRACE: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
_REFUSALS: Final = (SinkFenced, SinkUnavailable)


@pytest.mark.asyncio
class SinkPublishingConformance:
    """Fixtures: ``broker``, a :class:`SinkBroker`; ``store``, an event store that is empty."""

    # --- What is published -------------------------------------------------------------------------------------------

    async def test_every_event_is_published_in_order(self, broker: SinkBroker, store: EventStore) -> None:
        await append_some(store, 600)
        async with Publisher.opened(broker, store) as publisher:
            assert publisher.after is None
            await publisher.publish()
            await append_some(store, 3)
            await publisher.publish()
        await check_received(broker, store, repeats=False)

    async def test_a_message_says_what_the_event_is(self, broker: SinkBroker, store: EventStore) -> None:
        for name in ODD_NAMES:
            await store.append(name, name, [NewEvent(name, {name: name}, tags=[name])])
        await store.append("Order", "1", [
            NewEvent("Placed", {"n": 2**70, "price": 1.10}, metadata={"traceparent": _TRACE, "deep": {"er": [1, "é"]}}),
            NewEvent("Scanned", bytes(range(256)), content_type="image/odd"),
            NewEvent("Nothing", None),
        ])  # fmt: skip
        async with Publisher.opened(broker, store) as publisher:
            await publisher.publish()
            seen = {one.event_id: one for one in await check_received(broker, store, repeats=False)}
            for event, _ in await log_of(store):
                one = seen[str(event.event_id)]
                assert (one.relay, one.epoch, one.replay) == (word(broker.relay), publisher.lease.epoch, None)
                _check_message(one, event)

    async def test_nothing_is_published_behind_a_refused_event(self, broker: SinkBroker, store: EventStore) -> None:
        needs(broker, "refused_event")
        await append_some(store, 3)
        refused = await store.append("Order", "0", [broker.refused_event()])
        await append_some(store, 3)
        log = await log_of(store)
        async with Publisher.opened(broker, store) as publisher:
            for _ in range(2):
                with pytest.raises(SinkRefused) as caught:
                    await publisher.publish()
                assert caught.value.position == refused.position
                assert str(caught.value)
                seen = await seen_by_consumers(broker)
                check_whole(seen, log[:3], broker)
                assert await publisher.open() == (log[2].cursor if broker.remembers else None)
            publisher.after = log[3].cursor
            await publisher.publish()
        seen = await seen_by_consumers(broker)
        check_whole(seen, [*log[:3], *log[4:]], broker)

    # --- Beside the order of the log ---------------------------------------------------------------------------------

    async def test_a_replay_is_marked_and_moves_nothing(self, broker: SinkBroker, store: EventStore) -> None:
        await append_some(store, 5)
        page = await page_behind(store)
        names = [unique("replay") for _ in range(2)]
        async with Publisher.opened(broker, store) as publisher:
            assert publisher.sink.remembers is broker.remembers
            await publisher.publish()
            for name in names:
                await publisher.sink.publish(first_of_page(page, 2), Replay(name, page.cursor))
            assert await publisher.open() == (page.cursor if broker.remembers else None)
            await append_some(store, 2)
            await publisher.publish()
        seen, log = await seen_by_consumers(broker), await log_of(store)
        check_whole([one for one in seen if one.replay is None], log, broker, repeats=False)
        for name in names:
            replayed = [one for one in seen if one.replay == name]
            assert sorted(one.position for one in replayed) == [log[0].event.position, log[1].event.position]
            assert {one.cursor for one in replayed} == {page.cursor}
            check_order(replayed, broker)
        assert {one.replay for one in seen} == {None, *names}
        check_events(seen, log, broker)

    # --- What is remembered ------------------------------------------------------------------------------------------

    async def test_open_tells_how_far_the_relay_came(self, broker: SinkBroker, store: EventStore) -> None:
        def as_remembered(cursor: Cursor) -> Cursor | None:
            return cursor if broker.remembers else None

        await append_some(store, 9)
        page = await page_behind(store)
        async with Publisher.opened(broker, store) as publisher:
            for count in (2, 9):
                await publisher.open()
                some = first_of_page(page, count) if publisher.after is None else await page_behind(
                    store, publisher.after
                )  # fmt: skip
                await publisher.sink.publish(some)
                assert await publisher.open() == as_remembered(some.cursor)
                publisher.after = some.cursor
        async with Publisher.opened(broker, store) as later:
            assert later.after == as_remembered(page.cursor)
        await check_received(broker, store, repeats=False)

    async def test_another_relay_is_not_told_how_far_this_one_came(self, broker: SinkBroker, store: EventStore) -> None:
        await append_some(store, 3)
        async with Publisher.opened(broker, store) as publisher:
            await publisher.publish()
        async with Publisher.opened(broker, store, unique("relay")) as other:
            assert other.after is None

    async def test_what_is_of_another_store_is_told_before_all_else(
        self, broker: SinkBroker, store: EventStore
    ) -> None:
        """Who finds it there changes nothing: the other store's relay goes on."""
        if not broker.remembers:
            pytest.skip("the broker does not know how far a relay came")
        await append_some(store, 3)
        last = (await log_of(store))[-1]
        told: list[Reached] = []

        async def refuse(reached: Reached) -> None:
            told.append(reached)
            raise InvalidRequest("it is of another store")

        async with Publisher.opened(broker, store) as publisher:
            await publisher.publish()
            for epoch in (publisher.lease.epoch - 1, publisher.lease.epoch, publisher.lease.epoch + 1):
                other = broker.make_sink()
                with pytest.raises(InvalidRequest):
                    await other.open(replace(publisher.lease, epoch=epoch), refuse)
                await other.close()
            assert told == [Reached(last.cursor, last.event.event_id, last.event.hash)] * 3
            await append_some(store, 2)
            await publisher.publish_all()
        await check_received(broker, store)

    async def test_after_a_reset_all_is_published_again(self, broker: SinkBroker, store: EventStore) -> None:
        await append_some(store, 4)
        page, log = await page_behind(store), await log_of(store)
        async with Publisher.opened(broker, store) as publisher:
            await publisher.publish()
        await store.relays.reset(broker.relay, start="beginning")
        async with Publisher.opened(broker, store) as publisher:
            assert publisher.after is None
            await publisher.sink.publish(first_of_page(page, 2))
            reached = await publisher.open()
            assert reached == (log[1].cursor if broker.remembers else None)
            publisher.after = log[1].cursor
            await publisher.publish()
        seen = await seen_by_consumers(broker)
        before = [one for one in seen if one.epoch < publisher.lease.reset_epoch]
        for some in (before, [one for one in seen if one not in before]):
            check_whole(some, log, broker, repeats=False)
        check_events(seen, log, broker)

    # --- Who may publish ---------------------------------------------------------------------------------------------

    async def test_an_earlier_epoch_is_refused(self, broker: SinkBroker, store: EventStore) -> None:
        """Its owner goes on as if it had heard nothing of the store's."""
        _needs_fences(broker)
        await append_some(store, 5)
        async with Publisher.opened(broker, store) as old:
            await old.sink.publish(first_of_page(await page_behind(store), 2))
            new, was_locked = await _taken_over(broker, store, old)
            try:
                await new.publish()
                if not was_locked:
                    with pytest.raises(_REFUSALS):
                        await old.publish()
                with pytest.raises(_REFUSALS):
                    await old.sink.open(old.lease)
                await append_some(store, 2)
                await new.publish_all()
            finally:
                await new.sink.close()
        await check_received(broker, store)

    async def test_an_earlier_epoch_does_not_go_on_behind_a_newer_one(
        self, broker: SinkBroker, store: EventStore
    ) -> None:
        """In the middle of a page, whose first event the newer owner has published."""
        _needs_fences(broker)
        await append_some(store, 5)
        page = await page_behind(store)
        async with Publisher.opened(broker, store) as old:
            new, was_locked = await _taken_over(broker, store, old)
            try:
                await new.sink.publish(first_of_page(page, 1))
                if not was_locked:
                    with pytest.raises(_REFUSALS):
                        await old.publish()
                new.after = first_of_page(page, 1).cursor
                await new.publish_all()
            finally:
                await new.sink.close()
        seen = await check_received(broker, store)
        assert {one.epoch for one in seen} == {new.lease.epoch}

    async def test_an_owner_before_the_newest_has_published(self, broker: SinkBroker, store: EventStore) -> None:
        """Whether it comes through or not, its messages stand before all of the newer owner's, and none is there
        twice where the broker stores them once."""
        _needs_fences(broker)
        was_locked = False
        for _ in range(3):
            if was_locked:
                break
            await append_some(store, 100)
            async with Publisher.opened(broker, store) as old:
                new, was_locked = await _taken_over(broker, store, old)
                try:
                    calls = [new.publish_all()] if was_locked else [new.publish_all(), old.publish()]
                    first, *others = await asyncio.gather(*calls, return_exceptions=True)
                    assert first is None
                    assert all(one is None or isinstance(one, _REFUSALS) for one in others), others
                finally:
                    await new.sink.close()
        await check_received(broker, store)

    # --- Opened and closed -------------------------------------------------------------------------------------------

    async def test_it_is_closed_and_opened_any_number_of_times(self, broker: SinkBroker, store: EventStore) -> None:
        publisher = Publisher(broker.make_sink(), store, await claim(store, broker.relay))
        await publisher.sink.close()
        for _ in range(3):
            await append_some(store, 2)
            await publisher.open()
            await publisher.open()
            await publisher.publish()
            await publisher.sink.close()
            await publisher.sink.close()
        await check_received(broker, store, repeats=False)

    async def test_nothing_goes_on_behind_close(self, broker: SinkBroker, store: EventStore) -> None:
        before = asyncio.all_tasks()
        await append_some(store, 20)
        async with Publisher.opened(broker, store) as publisher:
            await publisher.publish()
        async with asyncio.timeout(PATIENCE_S / 4):
            while left := asyncio.all_tasks() - before:
                await asyncio.wait(left)

    async def test_an_owner_who_was_cancelled_goes_on(self, broker: SinkBroker, store: EventStore) -> None:
        """In the middle of ``publish`` and of ``open``."""
        async with Publisher.opened(broker, store) as publisher:
            for delay_s in (0.0, 0.001, 0.004, 0.016, 0.05):
                await append_some(store, 100)
                for call in (publisher.publish, publisher.open):
                    task = asyncio.create_task(call())
                    await asyncio.sleep(delay_s)
                    task.cancel()
                    _, left = await asyncio.wait([task], timeout=PATIENCE_S / 2)
                    assert not left, "it does not end though it was cancelled"
                    assert task.cancelled() or task.exception() is None
                    await publisher.open()
                await publisher.publish_all()
        await check_received(broker, store)


def _check_message(one: Seen, event: RecordedEvent) -> None:
    headers, data = one.received.headers, one.received.data
    told, expected = attributes_of(one.received), context_of(event, is_text_only=True)
    content_type = {name.lower(): value for name, value in headers.items()}.get("content-type")
    if prefix_of(one.received) is None:
        assert json.loads(data) == json.loads(encode_cloud_event(event))
        assert content_type == CLOUDEVENT_CONTENT_TYPE
    else:
        assert data == event.event_data_bytes
        del expected["datacontenttype"]
        assert content_type == event.content_type
        assert set(told) == set(expected)
        for name, value in expected.items():
            assert told[name] in (value, encode_headers({name: value})[name]), f"{name} is {value}: {one.received}"
    trace = expected.get("traceparent")
    assert headers.get("traceparent") == trace


def _needs_fences(broker: SinkBroker) -> None:
    if not broker.fences:
        pytest.skip("the broker does not refuse earlier owners")


async def _taken_over(broker: SinkBroker, store: EventStore, old: Publisher) -> tuple[Publisher, bool]:
    """The owner of the next epoch. Where the broker lets in one at a time, the earlier one has to go before; gives
    whether that was so."""
    new = Publisher(broker.make_sink(), store, await claim(store, broker.relay))
    try:
        new.after = await new.sink.open(new.lease)
    except SinkUnavailable:
        await old.sink.close()
        await new.open()
        return new, True
    return new, False
