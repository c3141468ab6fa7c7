"""Watches a query index while it is written to and broken, and looks through all of it at the end."""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Final

from faults.index_check import Answer, Look, Seen
from faults.index_load import EVENT_TYPES, NARROW, Question, Writers
from indelible import Cursor, RecordedEvent
from indelible.cursors import cursor_at
from indelible.errors import IndexBehind, IndexBuilding, OutcomeUnknown, Unavailable
from indelible.eventstore import EventStore
from indelible.index_state import GenerationInfo, IndexInfo
from indelible.limits import PAGE_EVENTS_MAX

PATIENCE_S: Final = 300.0
_WAIT_S: Final = 10.0
_PAUSE_S: Final = 0.01
_SEARCHES_A_LOOK: Final = 3
_WAITS: Final = 0.2
"""Share of the searches that wait for what was appended last."""
_NO_ANSWER: Final = (Unavailable, OutcomeUnknown, IndexBuilding, IndexBehind)


class Watcher:
    """Asks for what was appended a moment ago, and for what was then."""

    def __init__(self, store: EventStore, writers: Writers, seed: int) -> None:
        self._store: Final = store
        self._writers: Final = writers
        self._chance: Final = random.Random(seed)
        self.seen: Final[list[Seen]] = []
        self.unanswered = 0
        self.last: IndexInfo | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._look()
                for _ in range(_SEARCHES_A_LOOK):
                    await self._search()
            except _NO_ANSWER:
                self.unanswered += 1
            await asyncio.sleep(_PAUSE_S)

    async def _look(self) -> None:
        self.last = await self._store.index.status()
        serving = self.last.serving
        if serving is not None:
            self.seen.append(Look(serving.number, _position(serving.cursor)))

    async def _search(self) -> None:
        if not self._writers.latest:
            return
        appended = self._chance.choice(self._writers.latest)
        question = self._chance.choice(appended.questions)
        wait_for = appended.position if self._chance.random() < _WAITS else 0
        answer = await found(self._store, question, wait_for)
        self.seen.append(answer)


def _position(cursor: Cursor) -> int:
    """The log has one partition."""
    return int(cursor)


async def found(store: EventStore, question: Question, wait_for: int = 0) -> Answer:
    """All pages. Each says itself how far the index has come: where there are several, nothing may be appended."""
    positions, cursor = list[int](), None
    while True:
        page = await store.search(
            question.query, limit=PAGE_EVENTS_MAX, cursor=cursor, wait_s=_WAIT_S,
            wait_for=cursor_at(wait_for) if wait_for else None,
        )  # fmt: skip
        positions += [event.position for event in page.events]
        cursor = page.cursor
        if cursor is None:
            return Answer(question, _position(page.indexed_cursor), positions, wait_for)
        assert question.by not in NARROW, f"{question} has more than one page"


# --- The end ---------------------------------------------------------------------------------------------------------


async def caught_up(store: EventStore, newer_than: int = 0) -> GenerationInfo:
    """Once a generation with a greater number serves, at the head, and none is being made to take its place: one
    that is asked for then is another."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        info, head = await store.index.status(), await store.head()
        serving = info.serving
        is_newest = serving is not None and serving.number > newer_than and info.building is None
        if serving is not None and is_newest and serving.cursor == head.cursor:
            return serving
        assert time.monotonic() < give_up_at, f"the index has not caught up: {info}"
        await asyncio.sleep(_PAUSE_S)


async def look_through(store: EventStore, log: Sequence[RecordedEvent]) -> list[Seen]:
    """Every event by its type, by a field that all of them have, and by its tag."""
    tags = {tag for event in log for tag in event.tags}
    questions = [Question("event type", one) for one in EVENT_TYPES]
    questions.append(Question("field", "event_data.append"))
    questions += [Question("tag", tag) for tag in sorted(tags)]
    return [await found(store, question) for question in questions]
