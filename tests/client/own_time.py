"""Waits that take no time: what is tested is how long they are asked to be, and no machine is too busy for that."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Waits for nothing but what is there."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "it waits for something else than time"
        self.passed_s += max(timeout, 0.0)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    """Its clock stands still while anything is done, and goes on at once to what is waited for."""

    def __init__(self) -> None:
        self._waits = _Selector()
        super().__init__(self._waits)

    def time(self) -> float:
        return self._waits.passed_s


def in_own_time(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs it to its end on an event loop of its own."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(coroutine)
