"""The terminal screen, driven as a person would: keys in, and what is drawn out."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from indelible.eventstore import EventStore
from indelible.ui.app import LookAround
from indelible.ui.session import Session

TIMEOUT_S = 60


class Person:
    """Somebody at a terminal."""

    def __init__(self, app: LookAround, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    def lines(self) -> list[str]:
        """What is on the screen now."""
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]

    def sees(self, *texts: str) -> bool:
        shown = "\n".join(self.lines())
        return all(text in shown for text in texts)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def types(self, text: str) -> None:
        await self.pilot.press(*("space" if one == " " else one for one in text))

    async def until_sees(self, *texts: str) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not self.sees(*texts):
            assert time.monotonic() < deadline, "\n".join([repr(texts), *self.lines()])
            await self.pilot.pause(0.02)

    async def until_gone(self, text: str) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while self.sees(text):
            assert time.monotonic() < deadline, "\n".join([text, *self.lines()])
            await self.pilot.pause(0.02)


@asynccontextmanager
async def looking(store: EventStore, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Person]:
    """At a store that is open."""
    app = LookAround(Session(store, "the place"))
    async with app.run_test(size=size) as pilot:
        person = Person(app, pilot)
        await person.until_sees("1 Overview", "event type", "the place")
        yield person
