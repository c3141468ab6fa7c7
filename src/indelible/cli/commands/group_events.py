"""indelible group in-flight, parked, replay, skip, skipped: single events of a group"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final

import typer

from indelible.cli.group_store import Group, open_groups, shown_time
from indelible.cli.options import ConfigFile, Json, Limit, Store, Url
from indelible.cli.output import print_json, print_line, print_table
from indelible.cli.running import run
from indelible.cli.target import Target
from indelible.errors import InvalidRequest
from indelible.eventstore import EventStore
from indelible.groups import InFlight, ParkedEvent, SkippedEvent
from indelible.limits import PAGE_EVENTS_MAX

After = Annotated[str | None, typer.Option(metavar="CURSOR", help="Start after this; a position is one.")]

NextPage = Callable[[EventStore, str | None, int], Awaitable[tuple[Sequence[Any], str, bool]]]
"""Of a store, after a cursor, at most so many: what there is, the next cursor, and whether this is the last page."""

_NUMBERS: Final = ("position", "version", "attempt", "attempts", "following")
_PLACE: Final = ("position", "aggregate_type", "aggregate_id", "version")
_IN_FLIGHT: Final = (*_PLACE, "attempt", "member", "deadline")
_PARKED: Final = (*_PLACE, "attempts", "following", "parked_at", "reason")
_SKIPPED: Final = (*_PLACE, "attempts", "skipped_at", "reason", "parked_reason")


def in_flight(
    group: Group, *, url: Url = None, store: Store = None, config: ConfigFile = None, json: Json = False
) -> None:
    """List the events that are with members.

    \b
    indelible group in-flight billing
    """
    run(_in_flight(Target.chosen(url, store, config), group, json))


async def _in_flight(target: Target, group: str, json: bool) -> None:
    async with open_groups(target, read_only=True) as store:
        _print(_IN_FLIGHT, await store.groups.list_in_flight(group), json=json, with_heading=True)


def parked(
    group: Group,
    *,
    after: After = None,
    limit: Limit = None,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List the parked events that hold up their aggregates.

    "following" counts the later events of the aggregate that wait behind it.

    \b
    indelible group parked billing
    indelible group parked billing --json --limit 10
    """

    async def next_page(store: EventStore, after: str | None, limit: int) -> tuple[Sequence[ParkedEvent], str, bool]:
        page = await store.groups.list_parked(group, after=after, limit=limit)
        return page.parked, page.cursor, page.at_end

    run(_pages(Target.chosen(url, store, config), _PARKED, next_page, after, limit, json=json))


def skipped(
    group: Group,
    *,
    after: After = None,
    limit: Limit = None,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List the events that were skipped, and why.

    \b
    indelible group skipped billing
    """

    async def next_page(store: EventStore, after: str | None, limit: int) -> tuple[Sequence[SkippedEvent], str, bool]:
        page = await store.groups.list_skipped(group, after=after, limit=limit)
        return page.skipped, page.cursor, page.at_end

    run(_pages(Target.chosen(url, store, config), _SKIPPED, next_page, after, limit, json=json))


async def _pages(
    target: Target, columns: Sequence[str], next_page: NextPage, after: str | None, limit: int | None, *, json: bool
) -> None:
    async with open_groups(target, read_only=True) as store:
        left, at_end, is_first = limit, False, True
        while not at_end and left != 0:
            size = PAGE_EVENTS_MAX if left is None else min(left, PAGE_EVENTS_MAX)
            found, after, at_end = await next_page(store, after, size)
            _print(columns, found, json=json, with_heading=is_first)
            is_first = False
            left = None if left is None else left - len(found)


def _print(
    columns: Sequence[str],
    found: Sequence[InFlight | ParkedEvent | SkippedEvent],
    *,
    json: bool,
    with_heading: bool,
) -> None:
    if json:
        for one in found:
            print_json(one)
        return
    rows = [[_cell(one, name) for name in columns] for one in found]
    print_table(columns, rows, numbers=_NUMBERS, with_heading=with_heading)


def _cell(one: InFlight | ParkedEvent | SkippedEvent, name: str) -> object:
    value = getattr(one, name)
    return shown_time(value) if name in ("deadline", "parked_at", "skipped_at") else value


def replay(
    group: Group,
    positions: Annotated[list[int] | None, typer.Argument(help="Positions of parked events.")] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="All that are parked.")] = False,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Deliver parked events again, and then those that follow them. Their attempts count from zero.

    \b
    indelible group replay billing 1042 1077
    indelible group replay billing --all
    """
    target = Target.chosen(url, store, config)
    if bool(positions) == all_:
        raise InvalidRequest("give positions of parked events, or --all", pointer="/positions")
    run(_replay(target, group, None if all_ else positions, json))


async def _replay(target: Target, group: str, positions: list[int] | None, json: bool) -> None:
    async with open_groups(target, read_only=False) as store:
        count = await store.groups.replay_parked(group, positions)
    if json:
        print_json({"replayed": count})
    else:
        print_line(f"replayed: {count}")


def skip(
    group: Group,
    positions: Annotated[list[int], typer.Argument(help="Positions of parked events.")],
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is recorded.")],
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Pass over parked events: those that follow them are delivered.

    \b
    indelible group skip billing 1042 --reason 'a test order'
    """
    run(_skip(Target.chosen(url, store, config), group, positions, reason, json))


async def _skip(target: Target, group: str, positions: list[int], reason: str, json: bool) -> None:
    async with open_groups(target, read_only=False) as store:
        count = await store.groups.skip_parked(group, positions, reason=reason)
    if json:
        print_json({"skipped": count})
    else:
        print_line(f"skipped: {count}")
