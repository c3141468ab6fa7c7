"""What a shell completes words with: names that a store knows, and those of contexts.

Whoever presses Tab waits for it, so it takes a second at most, and whatever is wrong, there are just no names.
"""

import asyncio
import io
import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr
from typing import TYPE_CHECKING, Final

import typer

from indelible.limits import COMPLETION_TIMEOUT_S, COMPLETIONS_MAX

if TYPE_CHECKING:
    from indelible.eventstore import EventStore

_LEAVING_S: Final = 0.2
"""For what has taken too long to come to its end, before the process does."""

_Ask = Callable[["EventStore"], Awaitable[Iterable[str]]]


def complete_event_types(ctx: typer.Context, incomplete: str) -> list[str]:
    async def ask(store: "EventStore") -> Iterable[str]:
        return [one.event_type for one in await store.event_types(prefix=incomplete)]

    return _names(ctx, incomplete, ask)


def complete_aggregate_types(ctx: typer.Context, incomplete: str) -> list[str]:
    async def ask(store: "EventStore") -> Iterable[str]:
        return [one.aggregate_type for one in await store.aggregate_types(prefix=incomplete)]

    return _names(ctx, incomplete, ask)


def complete_aggregate_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """Of the aggregate type that stands before."""

    async def ask(store: "EventStore") -> Iterable[str]:
        aggregate_type = ctx.params.get("aggregate_type")
        page = await store.list_aggregates(aggregate_type=aggregate_type, prefix=incomplete, limit=COMPLETIONS_MAX)
        return [one.aggregate_id for one in page.aggregates]

    return _names(ctx, incomplete, ask)


def complete_groups(ctx: typer.Context, incomplete: str) -> list[str]:
    async def ask(store: "EventStore") -> Iterable[str]:
        return [one.group for one in await store.groups.list()]

    return _names(ctx, incomplete, ask)


def complete_relays(ctx: typer.Context, incomplete: str) -> list[str]:
    async def ask(store: "EventStore") -> Iterable[str]:
        return [one.relay for one in await store.relays.list()]

    return _names(ctx, incomplete, ask)


def complete_contexts(ctx: typer.Context, incomplete: str) -> list[str]:  # noqa: ARG001 - as typer calls it
    from indelible.cli.contexts import load_contexts

    with _silence():
        return _those(load_contexts().contexts, incomplete)
    return []


def _names(ctx: typer.Context, incomplete: str, ask: _Ask) -> list[str]:
    """What is asked of the store that the line names so far, or that is used without one."""
    with _silence(), _end_in_time():
        return _those(asyncio.run(_answer(ctx, ask)), incomplete)
    return []


def _those(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})[:COMPLETIONS_MAX]


async def _answer(ctx: typer.Context, ask: _Ask) -> Iterable[str]:
    from indelible.cli.command import ServerFlags, Target, open_store

    places = [ctx.params.get(name) for name in ("url", "store", "config", "context")]
    flags = {name: ctx.params.get(name) for name in ServerFlags.__annotations__}
    target = Target.chosen(*places, **flags)
    async with (
        asyncio.timeout(COMPLETION_TIMEOUT_S),
        open_store(target, read_only=True, retry_total_s=0.0) as store,
    ):
        return await ask(store)


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing that is wrong, and no warning, is for the eyes of one who types."""
    try:
        with redirect_stderr(io.StringIO()):
            yield
    except Exception:  # noqa: BLE001, S110 - see above
        pass


@contextmanager
def _end_in_time() -> Iterator[None]:
    """Ends the process where a time-out cannot: a thread that asks a name server is waited for."""
    before = signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, COMPLETION_TIMEOUT_S + _LEAVING_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
