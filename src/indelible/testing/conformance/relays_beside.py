"""What relays have beside the order of the log: replays, and events that were set aside. Of all that an owner says the
newest counts, late words and repeats do no harm, and people's decisions are kept."""

import random

import pytest

from indelible.cursors import Cursor, cursor_at
from indelible.errors import InvalidRequest, RelayFenced, ReplayRunning, SetAsideEventNotFound
from indelible.eventstore import EventStore
from indelible.limits import GROUP_REASON_LENGTH_MAX
from indelible.relay_state import (
    RefusedEvent,
    RelayInfo,
    RelayLease,
    RelayReplay,
    ReplayProgress,
    RetriedEvent,
    SetAsideEvent,
)
from indelible.testing.conformance.helpers import append_noise, refused
from indelible.testing.conformance.relays import SharedRelay

_EVENTS = 10


class _Owned:
    """A relay that has published some events, the last of the log. Places are counted from the first of these: 1 is
    behind it, 0 before."""

    def __init__(self, store: EventStore, lease: RelayLease, begin: int) -> None:
        self.store = store
        self.lease = lease
        self.begin = begin

    def cursor(self, place: int) -> Cursor:
        return cursor_at(self.begin + place)

    async def replay(self, after: int, until: int | None = None) -> RelayReplay:
        end = None if until is None else self.cursor(until)
        info = await self.store.relays.replay(self.lease.relay, after=self.cursor(after), until=end)
        assert info.replay is not None
        return info.replay

    async def advance(self, place: int = 0, *, epoch: int = 0, published: int = 0, **said: object) -> RelayInfo:
        return await self.store.relays.advance(
            self.lease.relay, epoch or self.lease.epoch, self.cursor(place), published=published, lease_s=300.0,
            **said,  # type: ignore[arg-type]  # what owners say
        )  # fmt: skip

    async def replayed(self, name: str, place: int, published: int) -> RelayReplay | None:
        return (await self.advance(replay=ReplayProgress(name, self.cursor(place), published))).replay

    async def refuse(self, place: int, reason: str = "too large", replay: str = "") -> RelayInfo:
        """``place``: that behind the event."""
        return await self.advance(place, refused=RefusedEvent(self.begin + place, reason, replay))

    async def set_aside(self) -> dict[int, SetAsideEvent]:
        listed = await self.store.relays.list_set_aside(self.lease.relay)
        found = {one.position - self.begin: one for one in listed}
        assert sorted(found) == list(found)
        return found


@pytest.mark.asyncio
class RelayBesideConformance(SharedRelay):
    @pytest.fixture
    async def relay(self, store: EventStore, lease: RelayLease) -> _Owned:
        begin = (await store.head()).position
        await append_noise(store, _EVENTS)
        return _Owned(store, lease, begin)

    # --- Replays -----------------------------------------------------------------------------------------------------

    async def test_a_replay_has_a_beginning_and_an_end(self, relay: _Owned) -> None:
        await relay.advance(8)
        replay = await relay.replay(2, 6)
        assert (replay.cursor, replay.position) == (relay.cursor(2), relay.begin + 2)
        assert (replay.until, replay.until_position, replay.published) == (relay.cursor(6), relay.begin + 6, 0)
        told = await relay.replayed(replay.name, 4, 2)
        assert told is not None
        assert (told.name, told.cursor, told.published) == (replay.name, relay.cursor(4), 2)
        assert (await relay.store.relays.get(relay.lease.relay)).replay == told
        assert await relay.replayed(replay.name, 7, 4) is None

    async def test_a_replay_goes_up_to_the_checkpoint_unless_it_is_told(self, relay: _Owned) -> None:
        await relay.advance(5)
        replay = await relay.replay(0)
        assert replay.until == relay.cursor(5)
        await relay.advance(7)
        assert await relay.replay(0) == replay
        assert await relay.replayed(replay.name, 5, 5) is None
        assert (await relay.replay(0)).until == relay.cursor(7)

    async def test_one_replay_at_a_time(self, relay: _Owned) -> None:
        await relay.advance(8)
        replay = await relay.replay(2, 6)
        assert await relay.replay(2, 6) == replay
        for other in (relay.replay(1, 6), relay.replay(2, 7)):
            await refused(ReplayRunning, other, relay=relay.lease.relay, replay=replay.name)
        assert (await relay.store.relays.cancel_replay(relay.lease.relay)).replay is None
        assert (await relay.store.relays.cancel_replay(relay.lease.relay)).replay is None
        assert (await relay.replay(1, 6)).name != replay.name

    async def test_nothing_of_a_replay_goes_back(self, relay: _Owned) -> None:
        await relay.advance(8)
        first = await relay.replay(0)
        await relay.replayed(first.name, 4, 4)
        told = await relay.replayed(first.name, 2, 1)
        assert told is not None
        assert (told.cursor, told.published) == (relay.cursor(4), 4)
        await relay.store.relays.cancel_replay(relay.lease.relay)
        second = await relay.replay(0)
        assert await relay.replayed(first.name, 8, 8) == second

    async def test_a_replay_outlasts_its_owner(self, relay: _Owned) -> None:
        await relay.advance(8)
        replay = await relay.replay(0)
        await relay.replayed(replay.name, 4, 4)
        again = await relay.store.relays.claim(relay.lease.relay, "one", lease_s=300.0)
        info = await relay.store.relays.get(relay.lease.relay)
        assert info.replay is not None
        assert (info.replay.name, info.replay.cursor) == (replay.name, relay.cursor(4))
        late = relay.advance(replay=ReplayProgress(replay.name, relay.cursor(8), 8))
        await refused(RelayFenced, late, relay=relay.lease.relay, epoch=again.epoch)
        assert (await relay.store.relays.get(relay.lease.relay)).replay == info.replay

    async def test_ranges_that_are_none_are_refused(self, relay: _Owned) -> None:
        await relay.advance(5)
        relays, name = relay.store.relays, relay.lease.relay
        for pointer, call in (
            ("/until", relay.replay(2, 6)),
            ("/until", relay.replay(2, 2)),
            ("/until", relay.replay(3, 2)),
            ("/until", relays.replay(name, start="end")),
            ("/until", relays.replay(name, start="beginning", until=Cursor("elsewhere"))),
            ("/start", relays.replay(name)),
            ("/start", relays.replay(name, start="beginning", after=relay.cursor(1))),
            ("/after", relays.replay(name, after=Cursor("elsewhere"))),
        ):
            await refused(InvalidRequest, call, pointer=pointer)
        assert (await relays.get(name)).replay is None

    # --- Events that were set aside ----------------------------------------------------------------------------------

    async def test_a_refused_event_is_kept_and_passed_at_once(self, relay: _Owned) -> None:
        info = await relay.refuse(3)
        assert (info.cursor, info.set_aside, info.to_retry) == (relay.cursor(3), 1, 0)
        await relay.refuse(2)
        (event,) = (await relay.store.read_feed(after=relay.cursor(2), limit=1)).events
        kept = await relay.set_aside()
        assert list(kept) == [3]
        one = kept[3]
        assert (one.event_id, one.aggregate_type, one.aggregate_id) == (
            event.event_id, event.aggregate_type, event.aggregate_id,
        )  # fmt: skip
        assert (one.reason, one.retry) == ("too large", None)
        assert one.set_aside_at >= event.timestamp

    async def test_what_somebody_decided_is_not_undone_by_late_words(self, relay: _Owned) -> None:
        await relay.refuse(3)
        await relay.store.relays.dismiss_set_aside(relay.lease.relay)
        assert (await relay.refuse(3)).set_aside == 0

    async def test_events_are_retried(self, relay: _Owned) -> None:
        relays, name = relay.store.relays, relay.lease.relay
        for place in (1, 4, 6):
            await relay.refuse(place)
        assert await relays.retry_set_aside(name, [relay.begin + 4]) == 1
        listed = await relay.set_aside()
        retry = listed[4].retry
        assert retry is not None
        assert (listed[1].retry, (await relays.get(name)).to_retry) == (None, 1)
        assert await relays.retry_set_aside(name, [relay.begin + 4]) == 1
        assert (await relay.set_aside())[4].retry == retry
        assert await relays.retry_set_aside(name) == 3
        rest = (await relay.set_aside())[6].retry
        assert rest is not None
        assert rest != retry
        for wrong in (rest, "replay-0"):
            assert (await relay.advance(6, retried=RetriedEvent(relay.begin + 4, wrong))).set_aside == 3
        info = await relay.advance(6, published=relay.lease.published + 1, retried=RetriedEvent(relay.begin + 4, retry))
        assert (info.set_aside, info.to_retry, info.published) == (2, 2, relay.lease.published + 1)
        info = await relay.refuse(6, "still too large", rest)
        assert (info.set_aside, info.to_retry) == (2, 1)
        listed = await relay.set_aside()
        assert (listed[6].reason, listed[6].retry, listed[1].retry) == ("still too large", None, rest)

    async def test_events_are_dismissed(self, relay: _Owned) -> None:
        relays, name = relay.store.relays, relay.lease.relay
        for place in (1, 4, 6):
            await relay.refuse(place)
        assert await relays.dismiss_set_aside(name, [relay.begin + 1, relay.begin + 6]) == 2
        assert list(await relay.set_aside()) == [4]
        assert await relays.dismiss_set_aside(name) == 1
        assert await relays.dismiss_set_aside(name) == 0
        assert await relays.retry_set_aside(name) == 0

    async def test_a_refusal_in_a_replay_is_kept_with_its_progress(self, relay: _Owned) -> None:
        await relay.advance(8)
        replay = await relay.replay(2, 6)
        progress = ReplayProgress(replay.name, relay.cursor(4), 1)
        event = RefusedEvent(relay.begin + 4, "too large", replay.name)
        info = await relay.advance(8, replay=progress, refused=event)
        assert info.replay is not None
        assert (info.replay.cursor, info.set_aside) == (relay.cursor(4), 1)
        await relay.store.relays.dismiss_set_aside(relay.lease.relay)
        assert (await relay.advance(8, replay=progress, refused=event)).set_aside == 0
        last = RefusedEvent(relay.begin + 6, "too large", replay.name)
        info = await relay.advance(8, replay=ReplayProgress(replay.name, relay.cursor(6), 1), refused=last)
        assert (info.replay, info.set_aside) == (None, 1)
        late = RefusedEvent(relay.begin + 5, "too large", replay.name)
        info = await relay.advance(8, replay=ReplayProgress(replay.name, relay.cursor(5), 1), refused=late)
        assert info.set_aside == 1

    async def test_a_reset_forgets_what_comes_again(self, relay: _Owned) -> None:
        for place in (1, 4, 6):
            await relay.refuse(place)
        info = await relay.store.relays.reset(relay.lease.relay, after=relay.cursor(4))
        assert info.set_aside == 2
        assert list(await relay.set_aside()) == [1, 4]

    async def test_positions_that_are_not_set_aside_are_refused(self, relay: _Owned) -> None:
        relays, name = relay.store.relays, relay.lease.relay
        await relay.refuse(3)
        for call in (relays.retry_set_aside, relays.dismiss_set_aside):
            wrong = call(name, [relay.begin + 3, relay.begin + 4])
            await refused(SetAsideEventNotFound, wrong, relay=name, position=relay.begin + 4)
            await refused(InvalidRequest, call(name, [0]), pointer="/positions/0")
            await refused(InvalidRequest, call(name, []), pointer="/positions")
        assert {place: one.retry for place, one in (await relay.set_aside()).items()} == {3: None}

    async def test_whatever_is_said_in_whatever_order_nothing_is_lost(self, relay: _Owned) -> None:
        """Held against a model, by random orders of what owner and people may do."""
        choose = random.Random(relay.lease.epoch)  # noqa: S311 - a test, repeatable
        relays, name = relay.store.relays, relay.lease.relay
        place, kept, retries = 0, dict[int, str | None](), dict[int, str]()
        for _ in range(60):
            what = choose.choice(("refuse", "advance", "late", "retry", "retried", "dismiss"))
            if what in ("refuse", "advance"):
                place = min(place + choose.randrange(1, 3), _EVENTS)
                is_refused = what == "refuse" and (await relays.get(name)).position < relay.begin + place
                await (relay.refuse(place) if what == "refuse" else relay.advance(place))
                if is_refused:
                    kept[place] = None
            elif what == "late" and place > 1:
                await relay.refuse(choose.randrange(1, place + 1), "late")
            elif kept:
                chosen = choose.choice(list(kept))
                if what == "retry":
                    await relays.retry_set_aside(name, [relay.begin + chosen])
                    retries[chosen] = (await relay.set_aside())[chosen].retry or ""
                    kept[chosen] = retries[chosen]
                elif what == "retried" and chosen in retries:
                    await relay.advance(place, retried=RetriedEvent(relay.begin + chosen, retries[chosen]))
                    if kept[chosen] == retries[chosen]:
                        del kept[chosen]
                elif what == "dismiss":
                    await relays.dismiss_set_aside(name, [relay.begin + chosen])
                    del kept[chosen]
            assert {at: one.retry for at, one in (await relay.set_aside()).items()} == kept

    async def test_bad_words_are_refused(self, relay: _Owned) -> None:
        long, past = "x" * (GROUP_REASON_LENGTH_MAX + 1), relay.begin + _EVENTS + 1_000
        for pointer, call in (
            ("/replay/name", relay.advance(replay=ReplayProgress("", relay.cursor(0), 0))),
            ("/replay/cursor", relay.advance(replay=ReplayProgress("replay-1", Cursor("elsewhere"), 0))),
            ("/replay/cursor", relay.advance(replay=ReplayProgress("replay-1", cursor_at(past), 0))),
            ("/replay/published", relay.advance(replay=ReplayProgress("replay-1", relay.cursor(0), -1))),
            ("/refused/position", relay.advance(refused=RefusedEvent(0, "x"))),
            ("/refused/position", relay.advance(refused=RefusedEvent(past, "x"))),
            ("/refused/reason", relay.advance(refused=RefusedEvent(1, ""))),
            ("/refused/reason", relay.advance(refused=RefusedEvent(1, long))),
            ("/refused/replay", relay.advance(refused=RefusedEvent(1, "x", "\0"))),
            ("/retried/position", relay.advance(retried=RetriedEvent(0, "replay-1"))),
            ("/retried/replay", relay.advance(retried=RetriedEvent(1, ""))),
        ):
            await refused(InvalidRequest, call, pointer=pointer)
