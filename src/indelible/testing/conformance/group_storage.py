"""The promises of a storage about the state of consumer groups: what is saved, what is refused, what is kept."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import msgspec
import pytest

from indelible.engines.engine import Engine
from indelible.engines.group_storage import (
    UNKNOWN_AGGREGATE,
    GroupChange,
    GroupState,
    GroupSummary,
    GroupUnmoved,
    PendingEvent,
    PendingState,
    StoredGroup,
)
from indelible.errors import InvalidRequest
from indelible.events import AggregateKey
from indelible.groups import GroupSettings, SkippedEvent
from indelible.limits import GROUP_REASON_LENGTH_MAX, GROUPS_MAX, NAME_LENGTH_MAX, VERSION_MAX
from indelible.queries import QueryItem
from indelible.testing.conformance.helpers import ODD_NAMES, refused, unique

_BEGIN_US: Final = 1_767_225_600_000_000
_SKIPPED_AT: Final = datetime(2026, 1, 31, 12, 0, 0, 123_456, tzinfo=UTC)
_LONG: Final = "🦀" * NAME_LENGTH_MAX


def _new(name: str = "", settings: GroupSettings | None = None, *, created_us: int = _BEGIN_US) -> StoredGroup:
    return StoredGroup(
        name=name or unique("group"),
        settings=settings or GroupSettings(),
        created_us=created_us,
        revision=created_us,
        reached=10,
        last_delivery=created_us,
        reset_at=created_us,
        save_id=uuid4(),
    )


def _pending(position: int, state: PendingState = "waiting", **fields: Any) -> PendingEvent:
    given = {"key": AggregateKey("order", f"o-{position}"), "version": 3, "following": 0, "due_us": _BEGIN_US, **fields}
    return PendingEvent(position=position, state=state, **given)


def _skipped(position: int, reason: str = "known to be wrong", **fields: Any) -> SkippedEvent:
    given = {
        "aggregate_type": "order",
        "aggregate_id": f"o-{position}",
        "version": 3,
        "attempts": 5,
        "parked_reason": "no such customer",
        "skipped_at": _SKIPPED_AT,
        **fields,
    }
    return SkippedEvent(position=position, reason=reason, **given)


def _change(group: StoredGroup, *, expected: int | None = None, **fields: Any) -> GroupChange:
    """The next state of ``group``: its revision is one more, and ``fields`` are of the change."""
    then = msgspec.structs.replace(group, revision=group.revision + 1)
    return GroupChange(group.revision if expected is None else expected, then, **fields)


async def _create(engine: Engine, group: StoredGroup | None = None) -> StoredGroup:
    group = group or _new()
    assert await engine.create_group(group, groups_max=GROUPS_MAX)
    return group


async def _save(engine: Engine, group: StoredGroup, **fields: Any) -> StoredGroup:
    """What the group is after a change, which must succeed."""
    change = _change(group, **fields)
    assert await engine.save_group(change)
    return change.group


async def _load(engine: Engine, name: str) -> GroupState:
    state = await engine.load_group(name)
    assert state is not None
    return state


async def _summary(engine: Engine, name: str) -> GroupSummary:
    (summary,) = await engine.list_groups(name)
    return summary


async def _positions(engine: Engine, name: str) -> list[int]:
    return [one.position for one in (await _load(engine, name)).pending]


async def _skips(engine: Engine, name: str, after: int = 0, limit: int = 1_000) -> Sequence[SkippedEvent]:
    return await engine.list_skipped(name, after=after, limit=limit)


@pytest.mark.asyncio
class GroupStorageConformance:
    """Fixture: ``make_engine``, as in ``EngineConformance``. Its storage may hold groups before."""

    @pytest.fixture
    async def engine(self, make_engine: Callable[[], Engine]) -> AsyncIterator[Engine]:
        engine = make_engine()
        await engine.open()
        yield engine
        await engine.close()

    # --- Making, listing, deleting -----------------------------------------------------------------------------------

    async def test_new_group_comes_back(self, engine: Engine) -> None:
        items = (QueryItem(("Opened", "Closed"), ("order",), ("eu",)), QueryItem(tags=ODD_NAMES), QueryItem())
        settings = GroupSettings(items, ack_timeout_s=0.1, max_attempts=7, max_in_flight=10_000)
        group = msgspec.structs.replace(
            _new(settings=settings), revision=VERSION_MAX, reached=VERSION_MAX - 1, last_delivery=0, reset_at=3
        )
        await _create(engine, group)
        state = await _load(engine, group.name)
        assert (state.group, state.pending) == (group, ())
        assert await _summary(engine, group.name) == GroupSummary(group, VERSION_MAX - 1, 0, 0, 0, 0)
        assert await _summary(engine, group.name) in await engine.list_groups()

    async def test_taken_name(self, engine: Engine) -> None:
        group = await _save(engine, await _create(engine), put=[_pending(4)])
        other = _new(group.name, GroupSettings(max_attempts=9), created_us=_BEGIN_US + 1)
        assert not await engine.create_group(other, groups_max=GROUPS_MAX)
        assert not await engine.create_group(other, groups_max=1)
        state = await _load(engine, group.name)
        assert (state.group, state.pending) == (group, (_pending(4),))

    async def test_too_many(self, engine: Engine) -> None:
        await _create(engine)
        count = len(await engine.list_groups())
        refusal = await refused(InvalidRequest, engine.create_group(_new(), groups_max=count), pointer="/group")
        assert f"{count} groups" in refusal.message
        assert len(await engine.list_groups()) == count
        assert await engine.create_group(_new(), groups_max=count + 1)

    async def test_many_who_create_at_once(self, engine: Engine) -> None:
        """One of those who want a name gets it, and no more groups are made than there may be."""
        name, count = unique("group"), len(await engine.list_groups())
        same = [engine.create_group(_new(name, created_us=_BEGIN_US + n), groups_max=count + 3) for n in range(6)]
        others = [engine.create_group(_new(), groups_max=count + 3) for _ in range(6)]
        answers = await asyncio.gather(*same, *others, return_exceptions=True)
        assert answers[:6].count(True) == 1
        assert answers[6:].count(True) == 2
        assert all(isinstance(one, (bool, InvalidRequest)) for one in answers)
        assert len(await engine.list_groups()) == count + 3

    async def test_unknown_group(self, engine: Engine) -> None:
        name = unique("group")
        assert await engine.load_group(name) is None
        assert await engine.reload_group(name, _BEGIN_US) is None
        assert await engine.list_groups(name) == ()
        assert await engine.list_skipped(name, after=0, limit=10) == ()
        assert not await engine.delete_group(name)
        assert not await engine.save_group(_change(_new(name), put=[_pending(1)]))
        assert await engine.load_group(name) is None

    async def test_names_are_told_apart_and_listed_by_their_bytes(self, engine: Engine) -> None:
        prefix = unique()
        names = [f"{prefix}{odd}" for odd in ("", "A", "a", "Z", *ODD_NAMES)]
        longest = (prefix + _LONG)[:NAME_LENGTH_MAX]
        for name in (*names, longest):
            await _create(engine, _new(name))
        listed = [one.group.name for one in await engine.list_groups() if one.group.name.startswith(prefix)]
        assert listed == sorted((*names, longest), key=str.encode)
        for name in (*names, longest):
            assert [one.group.name for one in await engine.list_groups(name)] == [name]
        for number, name in enumerate(names):
            await _save(engine, _new(name), put=[_pending(number + 1)])
        for number, name in enumerate(names):
            assert await _positions(engine, name) == [number + 1]
        assert await engine.delete_group(names[0])
        assert await engine.load_group(names[0]) is None
        assert len(await engine.list_groups()) >= len(names)

    async def test_deleting_the_group_that_was_made_at_a_time(self, engine: Engine) -> None:
        """Another that has its name by now stays."""
        group = await _create(engine)
        await _save(engine, group, put=[_pending(3)])
        for other_us in (0, _BEGIN_US - 1, _BEGIN_US + 1):
            assert not await engine.delete_group(group.name, created_us=other_us)
            assert await _positions(engine, group.name) == [3]
        assert await engine.delete_group(group.name, created_us=_BEGIN_US)
        assert await engine.load_group(group.name) is None
        assert not await engine.delete_group(group.name, created_us=_BEGIN_US)

    async def test_deleting_takes_all_that_is_the_groups_own(self, engine: Engine) -> None:
        one, other = await _create(engine), await _create(engine)
        for group in (one, other):
            await _save(engine, group, put=[_pending(3), _pending(4, "parked")], skipped=[_skipped(2)])
        assert await engine.delete_group(one.name)
        assert not await engine.delete_group(one.name)
        again = await _create(engine, msgspec.structs.replace(one, created_us=_BEGIN_US + 9, revision=_BEGIN_US + 9))
        assert (await _load(engine, one.name)).pending == ()
        assert await _skips(engine, one.name) == ()
        assert (await _load(engine, one.name)).group == again
        assert await _positions(engine, other.name) == [3, 4]
        assert await _skips(engine, other.name) == (_skipped(2),)

    # --- What a change does ------------------------------------------------------------------------------------------

    async def test_row_is_changed(self, engine: Engine) -> None:
        items = (QueryItem(("Opened",)),)
        group = await _create(engine, _new(settings=GroupSettings(items)))
        then = msgspec.structs.replace(
            group,
            settings=GroupSettings(items, ack_timeout_s=12.5, max_attempts=1, max_in_flight=2),
            revision=group.revision + 7,
            reached=500,
            last_delivery=group.last_delivery + 30,
            reset_at=group.last_delivery + 20,
            save_id=uuid4(),
        )
        assert await engine.save_group(GroupChange(group.revision, then))
        assert (await _load(engine, group.name)).group == then
        assert await _summary(engine, group.name) == GroupSummary(then, 500, 0, 0, 0, 0)

    async def test_unfinished_come_back_whole_and_by_position(self, engine: Engine) -> None:
        group = await _create(engine)
        put = [
            _pending(VERSION_MAX, "parked", attempts=1_000, reason="x" * GROUP_REASON_LENGTH_MAX, following=9),
            _pending(7, "in_flight", attempts=2, delivery=2**60, member=_LONG, due_us=2**60),
            _pending(1, key=AggregateKey(_LONG, _LONG), version=VERSION_MAX, reason='\n\t"\\ \x01 €'),
        ]
        await _save(engine, group, put=put)
        assert (await _load(engine, group.name)).pending == tuple(put[::-1])

    async def test_odd_text_is_kept(self, engine: Engine) -> None:
        group = await _create(engine)
        put = [
            _pending(n, "in_flight", key=AggregateKey(name.replace("-", "_"), name), member=name, reason=name)
            for n, name in enumerate(ODD_NAMES, 1)
        ]
        skipped = [_skipped(n, name, aggregate_id=name, parked_reason=name) for n, name in enumerate(ODD_NAMES, 1)]
        await _save(engine, group, put=put, skipped=skipped)
        assert (await _load(engine, group.name)).pending == tuple(put)
        assert await _skips(engine, group.name) == tuple(skipped)

    async def test_put_replaces_and_drop_takes_away(self, engine: Engine) -> None:
        group = await _create(engine)
        other = await _save(engine, await _create(engine), put=[_pending(n) for n in range(1, 6)])
        group = await _save(engine, group, put=[_pending(n) for n in range(1, 6)])
        moved = _pending(2, "in_flight", attempts=1, delivery=8, member="m", due_us=9, following=4, reason="late")
        await _save(engine, group, dropped=[1, 4, 77], put=[moved, _pending(9, "parked")])
        kept = (moved, _pending(3), _pending(5), _pending(9, "parked"))
        assert (await _load(engine, group.name)).pending == kept
        assert await _positions(engine, other.name) == [1, 2, 3, 4, 5]

    async def test_drop_all_comes_before_put(self, engine: Engine) -> None:
        group = await _save(engine, await _create(engine), put=[_pending(n) for n in range(1, 6)])
        put = [_pending(2, "parked", reason="kept"), _pending(8)]
        group = await _save(engine, group, drop_all=True, put=put, skipped=[_skipped(3)])
        assert (await _load(engine, group.name)).pending == tuple(put)
        await _save(engine, group, drop_all=True)
        assert (await _load(engine, group.name)).pending == ()
        assert await _skips(engine, group.name) == (_skipped(3),)

    async def test_many_at_once(self, engine: Engine) -> None:
        group = await _save(engine, await _create(engine), put=[_pending(n, following=n) for n in range(1, 3_001)])
        group = await _save(
            engine,
            group,
            dropped=range(1, 2_001),
            put=[_pending(n, "in_flight", delivery=n) for n in range(2_001, 4_001)],
        )
        found = (await _load(engine, group.name)).pending
        assert found == tuple(_pending(n, "in_flight", delivery=n) for n in range(2_001, 4_001))
        assert (await _summary(engine, group.name)).in_flight == 2_000

    async def test_summary_adds_up(self, engine: Engine) -> None:
        group = await _create(engine)
        put = [
            _pending(2, "parked", following=3),
            _pending(3, "parked"),
            _pending(6, "in_flight", following=5),
            _pending(7),
            _pending(8),
            _pending(9, "parked", following=1),
        ]
        group = await _save(engine, group, put=put)
        assert await _summary(engine, group.name) == GroupSummary(group, 5, 1, 2, 3, 7)
        unknown = _pending(10, "parked", key=UNKNOWN_AGGREGATE, version=0, is_unreadable=True)
        group = await _save(engine, group, put=[unknown, _pending(3, "parked", is_unreadable=True)])
        assert await _summary(engine, group.name) == GroupSummary(group, 5, 1, 2, 4, 8, 2, is_held_up=True)
        group = await _save(engine, group, put=[put[1]], dropped=[10])
        group = await _save(engine, group, dropped=[6])
        assert await _summary(engine, group.name) == GroupSummary(group, 6, 0, 2, 3, 7)
        group = await _save(engine, group, dropped=[7, 8])
        assert await _summary(engine, group.name) == GroupSummary(group, 10, 0, 0, 3, 7)
        group = await _save(engine, group, drop_all=True)
        assert await _summary(engine, group.name) == GroupSummary(group, 10, 0, 0, 0, 0)

    async def test_skips_are_paged_by_position(self, engine: Engine) -> None:
        group, other = await _create(engine), await _create(engine)
        group = await _save(engine, group, skipped=[_skipped(n) for n in (30, 5, 12)])
        await _save(engine, other, skipped=[_skipped(13)])
        await _save(engine, group, skipped=[_skipped(12, "said again", attempts=9), _skipped(20)])
        everything = (_skipped(5), _skipped(12, "said again", attempts=9), _skipped(20), _skipped(30))
        assert await _skips(engine, group.name) == everything
        assert await _skips(engine, group.name, limit=2) == everything[:2]
        assert await _skips(engine, group.name, after=12, limit=1) == everything[2:3]
        assert await _skips(engine, group.name, after=11) == everything[1:]
        assert await _skips(engine, group.name, after=30) == ()

    # --- Who may change ----------------------------------------------------------------------------------------------

    async def test_change_from_another_revision_is_refused_whole(self, engine: Engine) -> None:
        group = await _save(engine, await _create(engine), put=[_pending(4)])
        before = await _load(engine, group.name)
        for expected in (group.revision - 1, group.revision + 1, 0):
            change = _change(
                group, expected=expected, dropped=[4], put=[_pending(5)], drop_all=True, skipped=[_skipped(3)]
            )
            assert not await engine.save_group(change)
        after = await _load(engine, group.name)
        assert (after.group, after.pending) == (before.group, before.pending)
        assert await _skips(engine, group.name) == ()

    async def test_one_of_many_savers_wins(self, engine: Engine) -> None:
        group = await _create(engine)
        for _ in range(5):
            changes = [
                GroupChange(
                    group.revision,
                    msgspec.structs.replace(group, revision=group.revision + 1 + n, reached=n),
                    put=[_pending(n + 1)],
                    drop_all=True,
                )
                for n in range(8)
            ]
            answers = await asyncio.gather(*(engine.save_group(change) for change in changes))
            assert answers.count(True) == 1
            won = changes[answers.index(True)]
            state = await _load(engine, group.name)
            assert (state.group, state.pending) == (won.group, tuple(won.put))
            group = state.group

    async def test_change_of_a_group_that_was_made_again_is_refused(self, engine: Engine) -> None:
        group = await _create(engine)
        assert await engine.delete_group(group.name)
        assert not await engine.save_group(_change(group, put=[_pending(1)]))
        await _create(engine, _new(group.name, created_us=_BEGIN_US + 5))
        assert not await engine.save_group(_change(group, put=[_pending(1)]))
        assert (await _load(engine, group.name)).pending == ()

    async def test_deleting_beside_savers_leaves_nothing(self, engine: Engine) -> None:
        for _ in range(5):
            group = await _create(engine)
            saves = [engine.save_group(_change(group, put=[_pending(n)])) for n in range(1, 5)]
            *_, is_deleted = await asyncio.gather(*saves, engine.delete_group(group.name))
            assert is_deleted
            assert await engine.load_group(group.name) is None
            await _create(engine, group)
            assert (await _load(engine, group.name)).pending == ()
            await engine.delete_group(group.name)

    async def test_reading_beside_savers_is_of_one_moment(self, engine: Engine) -> None:
        """The row and what belongs to it, of a load and of a list."""
        group = await _save(engine, await _create(engine), put=[_pending(1)])

        async def save_many() -> None:
            nonlocal group
            for n in range(2, 60):
                put = [_pending(n * 10 + i) for i in range(n % 3 + 1)]
                change = _change(msgspec.structs.replace(group, reached=len(put)), drop_all=True, put=put)
                assert await engine.save_group(change)
                group = change.group

        saving = asyncio.create_task(save_many())
        while not saving.done():
            state = await engine.load_group(group.name)
            assert state is not None
            assert state.group.reached in (len(state.pending), 10)
            summary = await _summary(engine, group.name)
            assert summary.group.reached in (summary.waiting, 10)
            await asyncio.sleep(0)
        await saving

    async def test_reload_tells_whether_anybody_has_saved(self, engine: Engine) -> None:
        one, other = await _create(engine), await _save(engine, await _create(engine), put=[_pending(7)])
        for known, put in ((one, [_pending(3)]), (other, [_pending(4), _pending(5, "parked")])):
            before = await engine.now_us()
            unmoved = await engine.reload_group(known.name, known.revision)
            assert isinstance(unmoved, GroupUnmoved)
            assert before <= unmoved.now_us <= await engine.now_us()
            saved = await _save(engine, known, put=put, drop_all=True)
            state = await engine.reload_group(known.name, known.revision)
            assert isinstance(state, GroupState)
            assert (state.group, state.pending) == (saved, tuple(put))
            assert isinstance(await engine.reload_group(known.name, saved.revision), GroupUnmoved)

    async def test_reload_of_a_group_that_was_made_again(self, engine: Engine) -> None:
        group = await _create(engine)
        assert await engine.delete_group(group.name)
        again = await _create(engine, _new(group.name, created_us=_BEGIN_US + 5))
        state = await engine.reload_group(group.name, group.revision)
        assert isinstance(state, GroupState)
        assert (state.group, state.pending) == (again, ())

    async def test_clock(self, engine: Engine) -> None:
        group = await _create(engine)
        first, loaded, last = await engine.now_us(), (await _load(engine, group.name)).now_us, await engine.now_us()
        assert first <= loaded <= last < first + 60_000_000
        assert abs(first - datetime.now(UTC).timestamp() * 1e6) < 3_600_000_000

    async def test_groups_are_kept_when_opened_again(self, make_engine: Callable[[], Engine]) -> None:
        engine = make_engine()
        await engine.open()
        group = await _create(engine, _new(settings=GroupSettings((QueryItem(tags=("ü",)),), max_attempts=2)))
        put = (_pending(1, "in_flight", member="m"), _pending(2, "parked", reason="r"))
        group = await _save(engine, group, put=put, skipped=[_skipped(9)])
        await engine.close()
        again = make_engine()
        await again.open()
        state = await again.load_group(group.name)
        if again.capabilities.durable:
            assert state is not None
            assert (state.group, state.pending) == (group, put)
            assert await _skips(again, group.name) == (_skipped(9),)
            await _save(again, group, dropped=[1])
        else:
            assert state is None
        await again.close()
