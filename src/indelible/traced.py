"""The trace that runs in this task, if it is known: for log lines, exemplars and spans, which the server makes.

It knows nothing of OpenTelemetry. What takes part in an append, such as the queue, notes times here where somebody
wants them, and whoever began the trace makes spans of them.
"""

import time
from contextvars import ContextVar
from typing import Final, NamedTuple

from indelible.limits import TRACED_COMMITS_MAX


class TracedCommit(NamedTuple):
    """A commit that had a part of this trace; times in nanoseconds since 1970."""

    queued_ns: int
    begun_ns: int
    committed_ns: int
    requests: int
    """Append requests in the same commit, those of others included."""
    events: int


class Traced:
    """``is_sampled``: whether times are wanted, and the trace will be found where traces are kept."""

    __slots__ = ("commits", "is_sampled", "trace_id")

    def __init__(self, trace_id: str, *, is_sampled: bool) -> None:
        self.trace_id: Final = trace_id
        self.is_sampled: Final = is_sampled
        self.commits: Final[list[TracedCommit]] = []

    def note_commit(self, queued_ns: int, took_s: float, requests: int, events: int) -> None:
        """It has just ended. A stream may have any number: of those past the bound nothing is noted."""
        if len(self.commits) < TRACED_COMMITS_MAX:
            committed_ns = time.time_ns()
            begun_ns = max(committed_ns - int(took_s * 1e9), queued_ns)
            self.commits.append(TracedCommit(queued_ns, begun_ns, committed_ns, requests, events))


TRACED: Final[ContextVar[Traced | None]] = ContextVar("TRACED", default=None)
"""Whoever takes a request sets it, for each anew: tasks inherit that of what began them."""


def sampled() -> Traced | None:
    """The trace, where times of it are wanted."""
    traced = TRACED.get()
    return traced if traced is not None and traced.is_sampled else None


def trace_id() -> str | None:
    """Of a trace that will be found where traces are kept."""
    traced = sampled()
    return None if traced is None else traced.trace_id
