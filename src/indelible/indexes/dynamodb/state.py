"""What generations there are, and how far each has come: one item, which changes by compare-and-set.

The changes are pure rules; each gives the state that is to be, or raises ``IndexMoved``. Documents are written in
steps, 1, 2, 3 … in each generation. A step is claimed before anything of it is written, and counts from the moment when
it is committed, which moves the cursor too. One that was claimed and never committed is void for ever.
"""

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from indelible.cursors import START, Cursor
from indelible.indexes.index import Generation, IndexMoved, IndexState
from indelible.limits import DYNAMODB_VOID_KEPT_S
from indelible.search import FieldType

FORMAT: Final = 2
"""There are no migrations: an index of an older format is made anew."""


class Void(Struct, frozen=True, array_like=True):
    """Steps that were never committed, from one to another."""

    first: int
    last: int
    cleared_at_s: int
    """When all was removed that had been written in them. Whoever claimed one might still be writing."""


class GenerationState(Struct, frozen=True):
    fields: dict[str, FieldType]
    cursor: str = str(START)
    documents: int = 0
    claimed: int = 0
    committed: int = 0
    void: tuple[Void, ...] = ()
    log_hash: str = ""

    def counts(self, step: int) -> bool:
        """Whether what was written in a step is seen."""
        return step <= self.committed and not any(one.first <= step <= one.last for one in self.void)


class Written(Protocol):
    """Something that was written in a step."""

    @property
    def step(self) -> int: ...
    @property
    def until(self) -> int | None:
        """The step in which another took its place."""
        ...


def is_seen(one: Written, held: GenerationState) -> bool:
    return held.counts(one.step) and not (one.until is not None and held.counts(one.until))


class Gone(Struct, frozen=True, array_like=True):
    """A generation whose items are still to be removed."""

    number: int
    fields: int
    """How many it has."""
    format: int = 1


class State(Struct, frozen=True):
    format: int = 1
    """Of all generations. The first said nothing of it."""
    last_number: int = 0
    serving: int | None = None
    building: int | None = None
    generations: dict[int, GenerationState] = {}
    removing: tuple[Gone, ...] = ()

    def known(self, number: int) -> GenerationState:
        if number not in (self.serving, self.building):
            raise IndexMoved(f"generation {number} is gone")
        return self.generations[number]

    def shown(self) -> IndexState:
        return IndexState(self._shown(self.serving), self._shown(self.building))

    def _shown(self, number: int | None) -> Generation | None:
        return None if number is None else self.generation(number)

    def generation(self, number: int) -> Generation:
        held = self.generations[number]
        return Generation(number, held.fields, Cursor(held.cursor), held.documents, held.log_hash)


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(State)


def encode_state(state: State) -> bytes:
    return _encoder.encode(state)


def decode_state(data: bytes) -> State:
    """Without the generations of an older format, whose items are to be removed. Raises ``ValueError``."""
    state = _decoder.decode(data)
    if state.format > FORMAT:
        raise ValueError(f"it is of format {state.format}, this Indelible knows up to {FORMAT}")
    return replace(dropped(state), format=FORMAT) if state.format < FORMAT else state


# --- Generations -----------------------------------------------------------------------------------------------------


def begun(state: State, fields: Mapping[str, FieldType]) -> State:
    if state.building is not None and state.generations[state.building].fields == fields:
        return state
    state = _without(state, state.building)
    number = state.last_number + 1
    return replace(
        state, last_number=number, building=number,
        generations={**state.generations, number: GenerationState(dict(fields))},
    )  # fmt: skip


def swapped(state: State, number: int) -> State:
    if number == state.serving:
        return state
    if number != state.building:
        raise IndexMoved(f"generation {number} is gone")
    return replace(_without(state, state.serving), serving=number, building=None)


def dropped(state: State) -> State:
    return replace(_without(_without(state, state.serving), state.building), serving=None, building=None)


def removed(state: State, gone: Gone) -> State:
    return replace(state, removing=tuple(one for one in state.removing if one != gone))


def _without(state: State, number: int | None) -> State:
    if number is None:
        return state
    kept = {other: held for other, held in state.generations.items() if other != number}
    gone = Gone(number, len(state.generations[number].fields), state.format)
    return replace(state, generations=kept, removing=(*state.removing, gone))


# --- Steps -----------------------------------------------------------------------------------------------------------


def claimed(state: State, number: int, after: Cursor) -> State:
    """With one more step claimed, to go on behind ``after``."""
    held = state.known(number)
    if held.cursor != after:
        raise IndexMoved(f"generation {number} is at cursor {held.cursor}, not {after}")
    return _with(state, number, replace(held, claimed=held.claimed + 1))


def committed(
    state: State, number: int, step: int, *, cursor: Cursor, log_hash: str = "", added: int, now_s: float
) -> State:
    """With a step that counts, and all that were claimed before it and not committed void."""
    held = state.known(number)
    if held.committed == step:
        return state  # by an attempt whose answer was lost
    if held.claimed != step:
        raise IndexMoved(f"generation {number} is being written to by another")
    void = [one for one in held.void if now_s - one.cleared_at_s < DYNAMODB_VOID_KEPT_S]
    if held.committed + 1 < step:
        void.append(Void(held.committed + 1, step - 1, int(now_s)))
    moved = replace(
        held, cursor=str(cursor), log_hash=log_hash, documents=held.documents + added, committed=step, void=tuple(void)
    )
    return _with(state, number, moved)


def _with(state: State, number: int, held: GenerationState) -> State:
    return replace(state, generations={**state.generations, number: held})
