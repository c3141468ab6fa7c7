"""The state document: which generations there are, how far each has come, and which of its documents count.

Pure rules. Documents and cursor cannot change in one transaction, so each batch is a step: it is claimed, its documents
are written with its number, and it is committed together with the cursor. Only documents of committed steps are found.
A step that was claimed and never committed is left out for ever: what was in it comes again, with a later step.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from indelible.cursors import START, Cursor
from indelible.indexes.index import Generation, IndexMoved, IndexState, Rejected
from indelible.search import FieldType

FORMAT: Final = 2
"""Of the state document and of the indices. There are no migrations: an index of an older format is made anew."""

_LEFT_OUT_MAX: Final = 100
"""Ranges of steps that are left out. By the time that one of so many is forgotten, its documents have come again."""


class Held(Struct, frozen=True):
    """What is known of a generation."""

    fields: dict[str, FieldType]
    cursor: str = str(START)
    log_hash: str = ""
    documents: int = 0
    claimed: int = 0
    """The last step that somebody has begun. Who claims one fences off whoever claimed another before."""
    committed: int = 0
    left_out: tuple[tuple[int, int], ...] = ()
    """Steps at or below ``committed`` that were never committed: first and last of each range."""
    rejected: tuple[Rejected, ...] = ()

    @property
    def hidden(self) -> Sequence[Mapping[str, Any]]:
        """Queries for the documents that do not count."""
        later = {"range": {"step": {"gt": self.committed}}}
        return [later, *({"range": {"step": {"gte": first, "lte": last}}} for first, last in self.left_out)]

    def committing(self, step: int) -> "Held":
        """As it is once that step is committed."""
        gap = ((self.committed + 1, step - 1),) if step > self.committed + 1 else ()
        return replace(self, committed=step, left_out=(*self.left_out, *gap)[-_LEFT_OUT_MAX:])


class State(Struct, frozen=True):
    """All of it."""

    format: int = FORMAT
    last_number: int = 0
    """The last one that somebody took to make an index by."""
    last_begun: int = 0
    """Number of the newest generation that ever was one. Whatever has no later number, and is none, is left over."""
    serving: int | None = None
    building: int | None = None
    generations: dict[int, Held] = {}

    @property
    def public(self) -> IndexState:
        return IndexState(*(None if one is None else self.generation(one) for one in (self.serving, self.building)))

    def generation(self, number: int) -> Generation:
        held = self.generations[number]
        return Generation(number, held.fields, Cursor(held.cursor), held.documents, held.log_hash)

    def held(self, number: int) -> Held:
        """Raises ``IndexMoved``."""
        if number not in self.generations:
            raise IndexMoved(f"generation {number} is gone")
        return self.generations[number]

    # --- Generations -------------------------------------------------------------------------------------------------

    def is_building(self, fields: Mapping[str, FieldType]) -> bool:
        return self.building is not None and self.generations[self.building].fields == fields

    def with_number(self) -> "State":
        """Its ``last_number`` is the caller's, to make an index by."""
        return replace(self, last_number=self.last_number + 1)

    def begun(self, number: int, fields: Mapping[str, FieldType]) -> "State":
        """Unchanged when another has begun a later one since the number was taken."""
        if number <= self.last_begun:
            return self
        return replace(self._with(self.serving, number, {number: Held(dict(fields))}), last_begun=number)

    def swapped(self, number: int, seen: Held | None, documents: int) -> "State":
        """``seen``: what the generation was when it was made searchable and its documents were counted. Unchanged when
        it is another since. Raises ``IndexMoved``."""
        if number == self.serving:
            return self
        if number != self.building:
            raise IndexMoved(f"generation {number} is gone")
        if seen is None or seen != self.generations[number]:
            return self
        return self._with(number, None, {number: replace(seen, documents=documents)})

    def without(self, *numbers: int | None) -> "State":
        serving, building = (None if one in numbers else one for one in (self.serving, self.building))
        return self._with(serving, building)

    def _with(self, serving: int | None, building: int | None, added: Mapping[int, Held] = {}) -> "State":
        held = {**self.generations, **added}
        kept = {number: held[number] for number in (serving, building) if number is not None}
        return replace(self, serving=serving, building=building, generations=kept)

    # --- Steps -------------------------------------------------------------------------------------------------------

    def claimed(self, number: int, after: str) -> "State":
        """The step is the generation's ``claimed``. Raises ``IndexMoved``."""
        held = self._at(number, after)
        return self._changed(number, replace(held, claimed=held.claimed + 1))

    def committed(self, number: int, step: int, after: str, changed: Held, *, is_searchable: bool) -> "State":
        """Raises ``IndexMoved``, also when another has claimed a step since: it may have written over documents.
        ``is_searchable``: whether the step's documents are, as all of a generation that serves."""
        if self.held(number) == changed:
            return self  # an attempt before, whose answer got lost
        if self._at(number, after).claimed != step:
            raise IndexMoved(f"another adds to generation {number}")
        if number == self.serving and not is_searchable:
            raise IndexMoved(f"generation {number} serves since")
        return self._changed(number, changed)

    def _at(self, number: int, after: str) -> Held:
        held = self.held(number)
        if held.cursor != after:
            raise IndexMoved(f"generation {number} is not at cursor {after}")
        return held

    def _changed(self, number: int, held: Held) -> "State":
        return replace(self, generations={**self.generations, number: held})
