"""The promises of a storage about the state of relays: what is saved, what is refused, what is kept."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final
from uuid import uuid4

import pytest
from msgspec.structs import replace

from indelible.engines.engine import Engine
from indelible.engines.relay_storage import StoredBeside, StoredRelay, StoredReplay, StoredSetAside
from indelible.errors import InvalidRequest
from indelible.limits import (
    GROUP_REASON_LENGTH_MAX,
    NAME_LENGTH_MAX,
    RELAY_SET_ASIDE_MAX,
    RELAYS_MAX,
    VERSION_MAX,
)
from indelible.testing.conformance.helpers import ODD_NAMES, refused, unique

_LONG: Final = "🦀" * NAME_LENGTH_MAX


def _new(name: str = "", **fields: Any) -> StoredRelay:
    given: dict[str, Any] = {
        "name": name or unique("relay"), "revision": 1, "epoch": 1, "owner": "one", "lease_until_us": 5, "position": 0,
        "published": 0, "is_paused": False, "is_stopped": False, "problem": None, "reset_epoch": 0, "save_id": uuid4(),
        **fields,
    }  # fmt: skip
    return StoredRelay(**given)


def _next(relay: StoredRelay, **fields: Any) -> StoredRelay:
    return replace(relay, revision=relay.revision + 1, save_id=uuid4(), **fields)


def _most_beside() -> StoredBeside:
    """As much as a relay may have beside the order of the log, and as odd."""
    events = tuple(
        StoredSetAside(
            VERSION_MAX - n, uuid4(), _LONG, ODD_NAMES[n % len(ODD_NAMES)], 'é"\\' * 300, VERSION_MAX, retry=_LONG
        )
        for n in reversed(range(RELAY_SET_ASIDE_MAX))
    )
    replay = StoredReplay(_LONG, VERSION_MAX - 2, VERSION_MAX - 1, VERSION_MAX, VERSION_MAX)
    return StoredBeside(VERSION_MAX, replay, events)


@pytest.mark.asyncio
class RelayStorageConformance:
    """Fixture: ``make_engine``, as in ``EngineConformance``. Its storage may hold a few relays before."""

    @pytest.fixture
    async def relays(self, make_engine: Callable[[], Engine]) -> AsyncIterator[Engine]:
        engine = make_engine()
        await engine.open()
        try:
            yield engine
        finally:
            await engine.close()

    async def test_relays_are_kept_as_they_were_saved(self, relays: Engine) -> None:
        most = _new(
            _LONG, owner=_LONG, epoch=VERSION_MAX, lease_until_us=VERSION_MAX, position=VERSION_MAX,
            published=VERSION_MAX, is_paused=True, is_stopped=True, problem="é" * GROUP_REASON_LENGTH_MAX,
            reset_epoch=VERSION_MAX, beside=_most_beside(),
        )  # fmt: skip
        for relay in (_new(), most, *map(_new, ODD_NAMES)):
            assert await relays.save_relay(relay, relays_max=RELAYS_MAX)
            assert await relays.load_relay(relay.name) == relay
            changed = _next(relay, problem=None, position=1, is_paused=False, beside=StoredBeside(replays=1))
            assert await relays.save_relay(changed, relays_max=RELAYS_MAX)
            assert await relays.load_relay(relay.name) == changed
        listed = await relays.list_relays()
        assert [one.name for one in listed] == sorted((one.name for one in listed), key=str.encode)
        assert {_LONG, *ODD_NAMES} <= {one.name for one in listed}
        assert await relays.load_relay(unique("relay")) is None

    async def test_another_revision_changes_nothing(self, relays: Engine) -> None:
        relay = _new()
        assert not await relays.save_relay(_next(relay), relays_max=RELAYS_MAX)
        assert await relays.load_relay(relay.name) is None
        assert await relays.save_relay(relay, relays_max=RELAYS_MAX)
        second = _next(relay)
        assert await relays.save_relay(second, relays_max=RELAYS_MAX)
        for stale in (_new(relay.name), _next(relay), _next(_next(second))):
            assert not await relays.save_relay(stale, relays_max=RELAYS_MAX)
        assert await relays.load_relay(relay.name) == second

    async def test_of_saves_at_once_one_counts(self, relays: Engine) -> None:
        relay = _new()
        for saves in ([_new(relay.name) for _ in range(5)], [_next(relay, epoch=n) for n in range(5)]):
            outcomes = await asyncio.gather(*(relays.save_relay(one, relays_max=RELAYS_MAX) for one in saves))
            assert sum(outcomes) == 1
            (won,) = [one for one, is_saved in zip(saves, outcomes, strict=True) if is_saved]
            assert await relays.load_relay(relay.name) == won

    async def test_relays_are_bounded(self, relays: Engine) -> None:
        relay = _new()
        assert await relays.save_relay(relay, relays_max=RELAYS_MAX)
        count = len(await relays.list_relays())
        await refused(InvalidRequest, relays.save_relay(_new(), relays_max=count), pointer="/relay")
        assert not await relays.save_relay(_new(relay.name), relays_max=count)
        assert await relays.save_relay(_next(relay), relays_max=count)
        assert await relays.save_relay(_new(), relays_max=count + 1)
