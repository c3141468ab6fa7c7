"""Generations: an index each, and the state document that says which is searched. To swap is to change that document.

Each change of it is a compare-and-set, so that of two writers one hears of the other. A process may die between any two
calls: an index is made before the document names it, with a number that nobody else has, and removed after the document
has let go of it. What is left over is removed when a generation is begun or the index is opened.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import structlog

from indelible.indexes.index import Generation, IndexUnavailable
from indelible.indexes.opensearch.address import Address
from indelible.indexes.opensearch.calls import Calls, Conflict, Tag
from indelible.indexes.opensearch.state import FORMAT, State
from indelible.search import FieldType

_log: Final = structlog.get_logger(__name__)

_ATTEMPTS: Final = 20
"""At a change, while others make theirs."""
_PAUSE_S: Final = 0.05


class Generations:
    """Raises ``IndexUnavailable``."""

    def __init__(self, calls: Calls, address: Address) -> None:
        self._calls: Final = calls
        self._address: Final = address
        self._changing: Final = asyncio.Lock()
        """Two generations of one process do not get in each other's way."""

    async def read(self, *, whole: bool = False) -> State:
        return (await self._read(whole=whole))[0]

    async def _read(self, *, whole: bool) -> tuple[State, Tag | None]:
        state, tag = await self._calls.read_state(whole=whole)
        if state.format > FORMAT:
            raise IndexUnavailable(
                f"{self._address.prefix} is a query index of format {state.format}, this Indelible knows up to "
                f"{FORMAT}; name another prefix: the index is then made anew from the log"
            )
        if state.format < FORMAT:
            state = State(last_number=state.last_number, last_begun=state.last_number)
        return state, tag

    async def change(self, change: Callable[[State], State]) -> State:
        """The state after it. What ``change`` raises is raised."""
        async with self._changing:
            for attempt in range(_ATTEMPTS):
                if attempt:
                    await asyncio.sleep(random.uniform(0, _PAUSE_S))  # noqa: S311 - only spreads them
                state, tag = await self._read(whole=True)
                changed = change(state)
                if changed == state:
                    return state
                try:
                    await self._calls.write_state(changed, tag)
                except Conflict:
                    continue
                return changed
        raise IndexUnavailable(f"others change {self._address.prefix} all the time")

    async def begin(self, fields: Mapping[str, FieldType]) -> Generation:
        for _ in range(_ATTEMPTS):
            state = await self.change(lambda state: state if state.is_building(fields) else state.with_number())
            if not state.is_building(fields):
                number = state.last_number
                await self._calls.make_generation(number, fields, self._address.shards, self._address.replicas)
                state = await self.change(partial(State.begun, number=number, fields=fields))
            if state.is_building(fields) and state.building is not None:
                await self._try_to_tidy(state)
                return state.generation(state.building)
        raise IndexUnavailable(f"others begin generations of {self._address.prefix} all the time")

    async def swap(self, number: int) -> None:
        """Raises ``IndexMoved`` and :class:`Gone`."""
        for _ in range(_ATTEMPTS):
            held, documents = (await self.read(whole=True)).generations.get(number), 0
            if held is not None:
                await self._calls.refresh(number)
                documents = await self._calls.count(number, held)
            state = await self.change(partial(State.swapped, number=number, seen=held, documents=documents))
            if state.serving == number:
                await self._try_to_tidy(state)
                return
        raise IndexUnavailable(f"others add to {self._address.prefix}-{number} all the time")

    async def drop(self) -> None:
        await self._try_to_tidy(await self.change(lambda state: state.without(state.serving, state.building)))

    async def let_go(self, number: int) -> None:
        """Of one whose index somebody has removed: it is none any more, and is built anew, as the first one was."""
        state = await self.change(lambda state: state.without(number))
        _log.warning("an index was removed; it is made anew from the log", index=f"{self._address.prefix}-{number}")
        await self._try_to_tidy(state)

    async def tidy(self, state: State) -> None:
        """Remove what was left over, and let the alias name what serves."""
        present = await self._calls.generations()
        for number in present:
            # One that is being made just now has a later number.
            if number <= state.last_begun and number not in state.generations:
                await self._calls.remove_generation(number)
        if state.serving is not None and present.get(state.serving) is False:
            await self._calls.name_for_people(state.serving)

    async def _try_to_tidy(self, state: State) -> None:
        """What is done is done; the rest is done another time."""
        try:
            await self.tidy(state)
        except IndexUnavailable as error:
            _log.warning("a query index is not tidied up", prefix=self._address.prefix, problem=str(error))
