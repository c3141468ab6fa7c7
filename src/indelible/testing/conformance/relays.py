"""Relays: one owner at a time, whose word alone counts; a checkpoint that never goes back by itself."""

import asyncio
import contextlib
import random
from datetime import UTC, datetime, timedelta

import pytest

from indelible.cursors import Cursor, cursor_at
from indelible.errors import InvalidRequest, RelayFenced, RelayNotFound, RelayOwned
from indelible.eventstore import EventStore
from indelible.limits import GROUP_REASON_LENGTH_MAX, RELAY_LEASE_MAX_S, RELAY_LEASE_MIN_S
from indelible.relay_state import RelayLease
from indelible.testing.conformance.helpers import ODD_NAMES, append_noise, refused, unique

_LONG_S = RELAY_LEASE_MAX_S


async def _claimed(store: EventStore, relay: str, owner: str = "one") -> RelayLease:
    return await store.relays.claim(relay, owner, lease_s=_LONG_S)


class SharedRelay:
    """What suites about relays share."""

    @pytest.fixture
    async def lease(self, store: EventStore) -> RelayLease:
        """Of a relay that the whole suite uses: a store takes a bounded number of them, and deletes none. It is at the
        end of the log, and does nothing else."""
        await append_noise(store)
        # By the owner of another test; the reset ends that.
        with contextlib.suppress(RelayOwned):
            await _claimed(store, "conformance")
        await store.relays.reset("conformance", start="end")
        await store.relays.resume("conformance")
        await store.relays.cancel_replay("conformance")
        await store.relays.dismiss_set_aside("conformance")
        return await _claimed(store, "conformance")


@pytest.mark.asyncio
class RelayConformance(SharedRelay):
    # --- What is told ------------------------------------------------------------------------------------------------

    async def test_a_new_relay_is_described(self, store: EventStore) -> None:
        await append_noise(store)
        head = await store.head()
        name = unique("relay")
        lease = await store.relays.claim(name, "one", start="end")
        assert (lease.relay, lease.epoch, lease.published, lease.reset_epoch) == (name, 1, 0, 0)
        assert (lease.cursor, lease.is_paused, lease.is_stopped) == (head.cursor, False, False)
        info = await store.relays.get(name)
        assert (info.relay, info.owner, info.epoch, info.state) == (name, "one", 1, "running")
        assert (info.cursor, info.position, info.lag, info.lag_s) == (head.cursor, head.position, 0, 0)
        assert (info.published, info.problem) == (0, None)
        assert 0 < info.lease_left_s <= 6
        names = [one.relay for one in await store.relays.list()]
        assert name in names
        assert names == sorted(names, key=str.encode)

    async def test_a_relay_begins_where_it_is_told(self, store: EventStore) -> None:
        await append_noise(store, 3)
        head = await store.head()
        first = await store.relays.claim(unique("relay"), "one")
        assert (await store.relays.get(first.relay)).position == 0
        after = await store.relays.claim(unique("relay"), "one", after=cursor_at(head.position - 1))
        info = await store.relays.get(after.relay)
        assert (info.position, info.lag) == (head.position - 1, 1)
        assert info.lag_s >= 0
        since = await store.relays.claim(unique("relay"), "one", since=datetime.now(UTC) + timedelta(days=1))
        assert (await store.relays.get(since.relay)).position == head.position
        again = await store.relays.claim(since.relay, "one", start="beginning")
        assert again.cursor == since.cursor

    async def test_names_of_relays_come_back_as_they_were(self, store: EventStore) -> None:
        name = ODD_NAMES[0] + unique()
        await store.relays.claim(name, name, start="end")
        info = await store.relays.get(name)
        assert (info.relay, info.owner) == (name, name)

    async def test_how_far_it_is_behind(self, store: EventStore, lease: RelayLease) -> None:
        await append_noise(store, 2)
        await asyncio.sleep(0.02)
        info = await store.relays.get(lease.relay)
        assert info.lag >= 2
        assert info.lag_s >= 0.02
        head = await store.head()
        info = await store.relays.advance(lease.relay, lease.epoch, head.cursor, published=lease.published + 2)
        assert (info.lag, info.lag_s, info.cursor) == (0, 0, head.cursor)
        assert info.published == lease.published + 2

    # --- Owners ------------------------------------------------------------------------------------------------------

    async def test_one_owner_at_a_time(self, store: EventStore, lease: RelayLease) -> None:
        with pytest.raises(RelayOwned) as caught:
            await _claimed(store, lease.relay, "two")
        fields = caught.value.fields
        assert (fields["relay"], fields["owner"]) == (lease.relay, "one")
        assert 0 < fields["lease_left_s"] <= _LONG_S
        info = await store.relays.release(lease.relay, lease.epoch)
        assert (info.state, info.lease_left_s, info.owner) == ("unowned", 0, "one")
        assert (await _claimed(store, lease.relay, "two")).epoch == lease.epoch + 1
        await refused(
            RelayFenced, store.relays.release(lease.relay, lease.epoch), relay=lease.relay, epoch=lease.epoch + 1
        )

    async def test_the_same_owner_gets_it_again(self, store: EventStore, lease: RelayLease) -> None:
        again = await _claimed(store, lease.relay)
        assert again.epoch == lease.epoch + 1
        fenced = store.relays.advance(lease.relay, lease.epoch, lease.cursor, published=0)
        await refused(RelayFenced, fenced, relay=lease.relay, epoch=again.epoch)

    async def test_a_lease_ends_and_is_renewed(self, store: EventStore, lease: RelayLease) -> None:
        await store.relays.advance(lease.relay, lease.epoch, lease.cursor, published=0, lease_s=RELAY_LEASE_MIN_S)
        await asyncio.sleep(RELAY_LEASE_MIN_S + 0.05)
        assert (await store.relays.get(lease.relay)).state == "unowned"
        # Nobody else has come, so it is still the newest.
        info = await store.relays.advance(lease.relay, lease.epoch, lease.cursor, published=0, lease_s=_LONG_S)
        assert info.state == "running"
        with pytest.raises(RelayOwned):
            await _claimed(store, lease.relay, "two")

    async def test_of_many_who_claim_at_once_one_gets_it(self, store: EventStore, lease: RelayLease) -> None:
        await store.relays.release(lease.relay, lease.epoch)
        claims = [_claimed(store, lease.relay, f"owner {n}") for n in range(8)]
        outcomes = await asyncio.gather(*claims, return_exceptions=True)
        (got,) = [one for one in outcomes if isinstance(one, RelayLease)]
        assert got.epoch == lease.epoch + 1
        assert sum(isinstance(one, RelayOwned) for one in outcomes) == 7

    async def test_whatever_two_owners_do_the_stale_one_never_moves_it(
        self, store: EventStore, lease: RelayLease
    ) -> None:
        """Held against a model, by random orders of what they may do."""
        await append_noise(store, 8)
        head = (await store.head()).position
        choose = random.Random(lease.epoch)  # noqa: S311 - a test, repeatable
        epoch, position, owner = lease.epoch, head - 8, "one"
        known = {"one": lease.epoch, "two": 0}
        is_owned = True
        await store.relays.advance(lease.relay, epoch, cursor_at(position), published=0, lease_s=_LONG_S)
        for _ in range(60):
            who = choose.choice(("one", "two"))
            what = choose.choice(("claim", "advance", "advance", "advance", "release", "reset"))
            is_newest = known[who] == epoch
            try:
                if what == "claim":
                    known[who] = (await _claimed(store, lease.relay, who)).epoch
                    assert not is_owned or owner == who
                    epoch, owner, is_owned = epoch + 1, who, True
                    assert known[who] == epoch
                elif what == "advance" and known[who]:
                    to = head - choose.randrange(9)
                    info = await store.relays.advance(
                        lease.relay, known[who], cursor_at(to), published=0, lease_s=_LONG_S
                    )
                    assert is_newest
                    position, owner, is_owned = max(position, to), who, True
                    assert info.position == position
                elif what == "release" and known[who]:
                    await store.relays.release(lease.relay, known[who])
                    assert is_newest
                    is_owned = False
                elif what == "reset":
                    position = head - choose.randrange(9)
                    await store.relays.reset(lease.relay, after=cursor_at(position))
                    epoch, is_owned = epoch + 1, False
            except RelayOwned:
                assert (what, is_owned, owner != who) == ("claim", True, True)
            except RelayFenced as error:
                newest = error.fields["epoch"]
                assert (is_newest, newest) == (False, epoch)
            info = await store.relays.get(lease.relay)
            assert (info.epoch, info.position, info.lease_left_s > 0) == (epoch, position, is_owned)

    # --- The checkpoint ----------------------------------------------------------------------------------------------

    async def test_nothing_goes_back(self, store: EventStore, lease: RelayLease) -> None:
        await append_noise(store, 2)
        head = await store.head()
        published = lease.published + 5
        for cursor, count in ((head.cursor, published), (lease.cursor, 0), (Cursor(""), 0)):
            info = await store.relays.advance(lease.relay, lease.epoch, cursor, published=count)
            assert (info.cursor, info.published) == (head.cursor, published)

    async def test_places_that_are_none_are_refused(self, store: EventStore, lease: RelayLease) -> None:
        head = await store.head()
        for cursor in (cursor_at(head.position + 1_000), Cursor("elsewhere")):
            advance = store.relays.advance(lease.relay, lease.epoch, cursor, published=0)
            await refused(InvalidRequest, advance, pointer="/cursor")
        assert (await store.relays.get(lease.relay)).cursor == head.cursor

    async def test_a_reset_ends_the_epoch(self, store: EventStore, lease: RelayLease) -> None:
        info = await store.relays.reset(lease.relay, start="beginning")
        assert (info.position, info.epoch, info.state) == (0, lease.epoch + 1, "unowned")
        advance = store.relays.advance(lease.relay, lease.epoch, lease.cursor, published=0)
        await refused(RelayFenced, advance, relay=lease.relay, epoch=lease.epoch + 1)
        again = await _claimed(store, lease.relay, "two")
        assert (again.epoch, again.reset_epoch) == (lease.epoch + 2, lease.epoch + 1)
        await refused(InvalidRequest, store.relays.reset(lease.relay), pointer="/start")

    # --- Standing still ----------------------------------------------------------------------------------------------

    async def test_pause_and_resume(self, store: EventStore, lease: RelayLease) -> None:
        info = await store.relays.pause(lease.relay)
        assert (info.state, info.is_paused, info.epoch) == ("paused", True, lease.epoch)
        info = await store.relays.advance(lease.relay, lease.epoch, lease.cursor, published=0)
        assert info.state == "paused"
        assert (await _claimed(store, lease.relay)).is_paused
        info = await store.relays.resume(lease.relay)
        assert (info.state, info.is_paused) == ("running", False)

    async def test_a_problem_passes(self, store: EventStore, lease: RelayLease) -> None:
        async def advance(problem: str | None) -> str | None:
            told = await store.relays.advance(lease.relay, lease.epoch, lease.cursor, published=0, problem=problem)
            return f"{told.state}: {told.problem}"

        assert await advance("the broker hangs") == "retrying: the broker hangs"
        assert await advance(None) == "running: None"
        await advance("the broker hangs")
        again = await _claimed(store, lease.relay)
        assert not again.is_stopped
        assert (await store.relays.get(lease.relay)).problem is None

    async def test_a_stop_lasts_until_it_is_resumed(self, store: EventStore, lease: RelayLease) -> None:
        problem = "the event at position 7 is too large"
        info = await store.relays.advance(
            lease.relay, lease.epoch, lease.cursor, published=0, problem=problem, stop=True
        )
        assert (info.state, info.problem, info.is_stopped) == ("stopped", problem, True)
        info = await store.relays.advance(lease.relay, lease.epoch, lease.cursor, published=0)
        assert (info.state, info.problem) == ("stopped", problem)
        again = await _claimed(store, lease.relay)
        assert again.is_stopped
        assert (await store.relays.get(lease.relay)).problem == problem
        info = await store.relays.resume(lease.relay)
        assert (info.state, info.problem, info.is_stopped) == ("running", None, False)

    # --- Refusals ----------------------------------------------------------------------------------------------------

    async def test_relays_that_do_not_exist(self, store: EventStore) -> None:
        relays, name = store.relays, unique("relay")
        for call in (
            relays.get(name),
            relays.advance(name, 1, Cursor("0"), published=0),
            relays.release(name, 1),
            relays.pause(name),
            relays.resume(name),
            relays.reset(name, start="end"),
            relays.replay(name, start="beginning"),
            relays.cancel_replay(name),
            relays.list_set_aside(name),
            relays.retry_set_aside(name),
            relays.dismiss_set_aside(name),
        ):
            await refused(RelayNotFound, call, relay=name)

    async def test_bad_requests_are_refused(self, store: EventStore, lease: RelayLease) -> None:
        relays, name = store.relays, lease.relay
        start = Cursor("0")
        for pointer, call in (
            ("/relay", relays.claim("", "one")),
            ("/owner", relays.claim(name, "")),
            ("/lease_s", relays.claim(name, "one", lease_s=0)),
            ("/lease_s", relays.claim(name, "one", lease_s=RELAY_LEASE_MAX_S + 1)),
            ("/start", relays.claim(name, "one", start="end", after=start)),
            ("/epoch", relays.advance(name, 0, start, published=0)),
            ("/published", relays.advance(name, 1, start, published=-1)),
            ("/problem", relays.advance(name, 1, start, published=0, stop=True)),
            ("/problem", relays.advance(name, 1, start, published=0, problem="x" * (GROUP_REASON_LENGTH_MAX + 1))),
            ("/epoch", relays.release(name, 0)),
            ("/relay", relays.get("")),
        ):
            await refused(InvalidRequest, call, pointer=pointer)
