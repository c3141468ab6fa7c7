"""A host for what runs beside the requests: relays, indexers and the like.

A part is a name and an async function. It starts with the server, is started again when it fails, each time after a
longer wait, and ends with the server. ``/readyz?verbose`` and the metrics show each.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Final, Self

import msgspec
import structlog
from msgspec import Meta
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from indelible.errors import IndelibleError
from indelible.keeping import Kept, State
from indelible.limits import BACKGROUND_RESTART_WAIT_MAX_S, BACKGROUND_RESTART_WAIT_MIN_S, BACKGROUND_STOP_S
from indelible.server.metrics import Metrics

_TASK_NAME: Final = "background: "

_log: Final = structlog.get_logger(__name__)


class Part(msgspec.Struct, frozen=True):
    """Something that runs beside the requests."""

    name: str
    """Unique in its server; a label of metrics."""
    run: Callable[[], Awaitable[None]]
    """Goes on until it is cancelled, which it must heed within ``BACKGROUND_STOP_S``. What it raises is logged, and it
    is called again; when it returns, its work is done."""
    is_vital: bool = False
    """Whether the server is not ready while this part has failed or is not ready."""
    why_not_ready: Callable[[], str | None] | None = None
    """Asked while it runs, often: a few words, or None when it is ready."""


class PartState(msgspec.Struct, frozen=True):
    """A part of the server: the store, or what runs beside the requests."""

    name: Annotated[str, Meta(description="Which part.", examples=["store appends"])]
    state: Annotated[
        State,
        Meta(description="A part that has failed is started again soon; one that has ended has done its work."),
    ]
    is_vital: Annotated[
        bool, Meta(description="Whether the server is not ready while this part is not.", examples=[True])
    ]
    not_ready_because: Annotated[str | None, Meta(description="Null when it is ready.", examples=[None])] = None
    restarts: Annotated[
        int, Meta(description="How often it was started again.", extra_json_schema={"minimum": 0}, examples=[0])
    ] = 0
    last_error: Annotated[
        str | None, Meta(description="Why it failed last, since the server started.", examples=[None])
    ] = None


class Background:
    """The host. Parts start when its context is entered, or when they are added to it later, and end with it."""

    def __init__(self, metrics: Metrics) -> None:
        self._parts: Final[dict[str, _Hosted]] = {}
        self._is_open = False
        metrics.add(self._collect)

    def add(self, part: Part) -> None:
        assert part.name not in self._parts, f"{part.name} stands twice"
        hosted = self._parts[part.name] = _Hosted(part)
        if self._is_open:
            hosted.start()

    def states(self) -> list[PartState]:
        return [hosted.state() for hosted in self._parts.values()]

    async def __aenter__(self) -> Self:
        self._is_open = True
        for hosted in self._parts.values():
            hosted.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """A part that does not end in time is left behind: the store must be closed whatever it does."""
        self._is_open = False
        tasks = {hosted.task: name for name, hosted in self._parts.items() if hosted.task is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=BACKGROUND_STOP_S)
            for task in [task for task in tasks if not task.done()]:
                _log.error("a part does not stop and is left behind", part=tasks[task])

    def _collect(self) -> Iterator[Metric]:
        running = GaugeMetricFamily("indelible_background_running", "1 while the part runs, else 0.", labels=("part",))
        restarts = CounterMetricFamily(
            "indelible_background_restarts", "Starts after the part had failed.", labels=("part",)
        )
        for state in self.states():
            running.add_metric((state.name,), float(state.state == "running"))
            restarts.add_metric((state.name,), state.restarts)
        yield from (running, restarts)


def any_left_behind(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a part has not ended with its host."""
    return any(task.get_name().startswith(_TASK_NAME) for task in asyncio.all_tasks(loop))


class _Hosted:
    """A part, and what has become of it."""

    def __init__(self, part: Part) -> None:
        self.task: asyncio.Task[None] | None = None
        self._part: Final = part
        self._kept: Final = Kept(
            part.run, self._hear, wait_min_s=BACKGROUND_RESTART_WAIT_MIN_S, wait_max_s=BACKGROUND_RESTART_WAIT_MAX_S
        )
        self._last_error: str | None = None

    def start(self) -> None:
        self.task = asyncio.create_task(self._kept.begin(), name=_TASK_NAME + self._part.name)

    def state(self) -> PartState:
        part, kept = self._part, self._kept
        because = f"{part.name} has failed: {self._last_error}" if kept.state == "failed" else None
        if kept.state == "running" and part.why_not_ready is not None and (why := part.why_not_ready()):
            because = f"{part.name} is not ready: {why}"
        return PartState(part.name, kept.state, part.is_vital, because, kept.restarts, self._last_error)

    def _hear(self, error: BaseException, wait_s: float | None) -> None:
        self._last_error = _described(error)
        _log.error(
            "a part has failed", part=self._part.name, error=self._last_error, restarted_in_s=wait_s,
            exc_info=None if isinstance(error, IndelibleError) else error,
        )  # fmt: skip


def _described(error: BaseException) -> str:
    """For callers, who get no more of what was not expected than its kind."""
    return error.message if isinstance(error, IndelibleError) else f"{type(error).__name__}; the log has the details"
