"""indelible group …: making consumer groups, looking after them, and consuming step by step, for scripts and for trying
out"""

import sys
from collections.abc import Coroutine
from functools import partial
from typing import Annotated, Any, Final

import msgspec
import typer

from indelible.cli import group_consume
from indelible.cli.command import (
    FAILED,
    AggregateTypes,
    BeginAfter,
    Beginning,
    EventTypes,
    Json,
    Limit,
    Since,
    Tags,
    Target,
    on_store,
    start_point,
)
from indelible.cli.group_consume import Group, Member, open_groups
from indelible.cli.output import (
    describe_event,
    note,
    print_fields,
    print_json,
    print_line,
    print_pages,
    print_parts,
    print_result,
    print_rows,
    shown,
)
from indelible.errors import InvalidRequest
from indelible.groups import (
    Delivery,
    GroupInfo,
    GroupSettings,
    Settled,
)
from indelible.limits import (
    GROUP_ACK_TIMEOUT_DEFAULT_S,
    GROUP_ATTEMPTS_DEFAULT,
    GROUP_IN_FLIGHT_DEFAULT,
)
from indelible.queries import EventQuery, QueryItem

app = typer.Typer(
    help="Make consumer groups, look after them, and consume.",
    rich_markup_mode=None,
)
After = Annotated[str | None, typer.Option(metavar="CURSOR", help="Start after this; a position is one.")]
Ids = Annotated[list[str], typer.Argument(metavar="DELIVERY_ID", help="Ids that pull gave.")]

COLUMNS: Final = ("group", "position", "lag", "in_flight", "waiting", "parked", "parked_aggregates")
_NUMBERS: Final = ("position", "version", "attempt", "attempts", "following")
_PLACE: Final = ("position", "aggregate_type", "aggregate_id", "version")
_IN_FLIGHT: Final = (*_PLACE, "attempt", "member", "deadline")
_PARKED: Final = (*_PLACE, "attempts", "following", "parked_at", "reason")
_SKIPPED: Final = (*_PLACE, "attempts", "skipped_at", "reason", "parked_reason")

Partition = Annotated[
    int | None,
    typer.Option(
        "--partition", metavar="N", help="Of which partition the positions are, where several have some parked there."
    ),
]

# --- Groups ----------------------------------------------------------------------------------------------------------


@app.command()
@on_store
async def create(
    target: Target,
    group: Group,
    *,
    event_type: EventTypes = None,
    aggregate_type: AggregateTypes = None,
    tag: Tags = None,
    start: Beginning = None,
    after: BeginAfter = None,
    since: Since = None,
    ack_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="Time to acknowledge an event before it is delivered again.")
    ] = GROUP_ACK_TIMEOUT_DEFAULT_S,
    max_attempts: Annotated[
        int, typer.Option(metavar="N", help="Deliveries of an event before it is parked.")
    ] = GROUP_ATTEMPTS_DEFAULT,
    max_in_flight: Annotated[
        int, typer.Option(metavar="N", help="Events that are with members at once.")
    ] = GROUP_IN_FLIGHT_DEFAULT,
    json: Json = False,
) -> None:
    """Make a group.

    It begins with the log's first event unless told otherwise. A group that is there already, with the same filter and
    settings, stays as it is.

    \b
    indelible group create billing --event-type OrderPlaced --event-type OrderPaid
    indelible group create mails --tag newsletter --start end --ack-timeout 120
    """
    query = EventQuery.of(event_types=event_type or (), aggregate_types=aggregate_type or (), tags=tag or ())
    settings = GroupSettings(query.items, ack_timeout, max_attempts, max_in_flight).checked()
    begin = start_point(start, after, since)
    async with open_groups(target, read_only=False) as groups:
        info = await groups.create(
            group, EventQuery(settings.items), start=begin.start, after=begin.after, since=begin.since,
            ack_timeout_s=settings.ack_timeout_s, max_attempts=settings.max_attempts,
            max_in_flight=settings.max_in_flight,
        )  # fmt: skip
    _print_place(info, json=json)


def _print_place(info: GroupInfo, *, json: bool) -> None:
    place = f"group {info.group} is at position {info.position}, {info.lag} before the head"
    print_result(info, place, json=json)


@app.command("list")
@on_store
async def list_(target: Target, *, json: Json = False) -> None:
    """List the groups, and how far they have come.

    \b
    indelible group list
    """
    async with open_groups(target, read_only=True) as groups:
        print_rows(COLUMNS, await groups.list(), json=json, numbers=COLUMNS[1:])


@app.command()
@on_store
async def show(target: Target, group: Group, *, json: Json = False) -> None:
    """Show a group: its filter, its settings, and how far it has come.

    "position" is the checkpoint: every event up to there is acknowledged, parked or skipped. "lag" counts the positions
    from there to the head.

    \b
    indelible group show billing
    """
    async with open_groups(target, read_only=True) as groups:
        _print_group(await groups.get(group), json=json)


def _print_group(info: GroupInfo, *, json: bool) -> None:
    """All there is to say of a group."""
    if json:
        print_json(info)
        return
    stalled = " (stalled: nothing more is delivered until some are redriven or skipped)" if info.is_stalled else ""
    unreadable = f", {info.unreadable} of them unreadable" if info.unreadable else ""
    print_fields(
        [
            ("group", info.group),
            ("events", " or ".join(map(_item, info.items)) or "all"),
            ("position", info.position),
            ("lag", info.lag),
            ("in flight", f"{info.in_flight} of at most {info.max_in_flight}"),
            ("waiting", f"{info.waiting} aggregates"),
            ("parked", f"{info.parked} events in {info.parked_aggregates} aggregates{unreadable}{stalled}"),
            ("ack timeout", f"{info.ack_timeout_s:g} s"),
            ("max attempts", info.max_attempts),
            ("created", shown(info.created)),
        ]
    )


def _item(item: QueryItem) -> str:
    names = ((name, getattr(item, name)) for name in msgspec.structs.asdict(item))
    return ", ".join(f"{name} {' '.join(values)}" for name, values in names if values) or "all"


@app.command()
@on_store
async def change(
    target: Target,
    group: Group,
    *,
    ack_timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="Time to acknowledge an event.")] = None,
    max_attempts: Annotated[int | None, typer.Option(metavar="N", help="Deliveries before an event is parked.")] = None,
    max_in_flight: Annotated[int | None, typer.Option(metavar="N", help="Events with members at once.")] = None,
    json: Json = False,
) -> None:
    """Change a group's settings, for deliveries from now on.

    Its filter cannot be changed: make another group, after this one's position.

    \b
    indelible group change billing --ack-timeout 120 --max-attempts 10
    """
    if ack_timeout is None and max_attempts is None and max_in_flight is None:
        raise InvalidRequest("give at least one of --ack-timeout, --max-attempts and --max-in-flight")
    async with open_groups(target, read_only=False) as groups:
        info = await groups.change(
            group, ack_timeout_s=ack_timeout, max_attempts=max_attempts, max_in_flight=max_in_flight
        )
    _print_group(info, json=json)


@app.command()
@on_store
def delete(
    target: Target,
    group: Group,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> Coroutine[Any, Any, None]:
    """Delete a group, and what it knows of parked and skipped events. No event is deleted.

    On a terminal it asks first; elsewhere it wants --yes.

    \b
    indelible group delete billing --yes
    """
    if not yes:
        _ask(group)
    return _delete(target, group, json)


def _ask(group: str) -> None:
    """Raises :class:`typer.Abort` unless the answer is yes."""
    if not sys.stdin.isatty():
        raise InvalidRequest(f"there is nobody to ask whether group {group} may be deleted; give --yes", pointer="/yes")
    sys.stderr.write(f"Delete group {group}, how far it has come, and what is parked and skipped in it? [y/N] ")
    sys.stderr.flush()
    # typer.confirm writes to stdout too, whatever it is told.
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise typer.Abort


async def _delete(target: Target, group: str, json: bool) -> None:
    async with open_groups(target, read_only=False) as groups:
        await groups.delete(group)
    print_result({"group": group, "deleted": True}, f"group {group} is deleted", json=json)


@app.command()
@on_store
async def reset(
    target: Target,
    group: Group,
    *,
    start: Beginning = None,
    after: BeginAfter = None,
    since: Since = None,
    json: Json = False,
) -> None:
    """Let a group read from another place on. Backward, that delivers events again.

    What members have at the moment is lost to them. What is parked before the place stays parked.

    \b
    indelible group reset billing --start beginning
    indelible group reset billing --since 2026-01-31T00:00:00Z
    """
    if start is None and after is None and since is None:
        raise InvalidRequest("give one of --start, --after and --since", pointer="/start")
    begin = start_point(start, after, since)
    async with open_groups(target, read_only=False) as groups:
        info = await groups.reset(group, start=begin.start, after=begin.after, since=begin.since)
    _print_place(info, json=json)


# --- Single events ---------------------------------------------------------------------------------------------------


@app.command("in-flight")
@on_store
async def in_flight(target: Target, group: Group, *, json: Json = False) -> None:
    """List the events that are with members.

    \b
    indelible group in-flight billing
    """
    async with open_groups(target, read_only=True) as groups:
        print_rows(_IN_FLIGHT, await groups.list_in_flight(group), json=json, numbers=_NUMBERS)


@app.command()
@on_store
async def parked(target: Target, group: Group, *, after: After = None, limit: Limit = None, json: Json = False) -> None:
    """List the parked events that hold up their aggregates.

    "following" counts the later events of the aggregate that wait behind it.

    \b
    indelible group parked billing
    indelible group parked billing --json --limit 10
    """
    async with open_groups(target, read_only=True) as groups:
        next_page = partial(groups.list_parked, group)
        await print_pages(_PARKED, next_page, "parked", limit=limit, json=json, numbers=_NUMBERS, after=after)


@app.command()
@on_store
async def redrive(
    target: Target,
    group: Group,
    positions: Annotated[list[int] | None, typer.Argument(help="Positions of parked events.")] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="All that are parked.")] = False,
    partition: Partition = None,
    json: Json = False,
) -> None:
    """Deliver parked events again, and then those that follow them. Their attempts count from zero.

    \b
    indelible group redrive billing 1042 1077
    indelible group redrive billing --all
    """
    if bool(positions) == all_:
        raise InvalidRequest("give positions of parked events, or --all", pointer="/positions")
    async with open_groups(target, read_only=False) as groups:
        count = await groups.redrive_parked(group, None if all_ else positions, partition=partition)
    print_result({"redriven": count}, f"redriven: {count}", json=json)


@app.command()
@on_store
async def skip(
    target: Target,
    group: Group,
    positions: Annotated[list[int], typer.Argument(help="Positions of parked events.")],
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is recorded.")],
    partition: Partition = None,
    json: Json = False,
) -> None:
    """Pass over parked events: those that follow them are delivered.

    \b
    indelible group skip billing 1042 --reason 'a test order'
    """
    async with open_groups(target, read_only=False) as groups:
        count = await groups.skip_parked(group, positions, reason=reason, partition=partition)
    print_result({"skipped": count}, f"skipped: {count}", json=json)


@app.command()
@on_store
async def skipped(
    target: Target, group: Group, *, after: After = None, limit: Limit = None, json: Json = False
) -> None:
    """List the events that were skipped, and why.

    \b
    indelible group skipped billing
    """
    async with open_groups(target, read_only=True) as groups:
        next_page = partial(groups.list_skipped, group)
        await print_pages(_SKIPPED, next_page, "skipped", limit=limit, json=json, numbers=_NUMBERS, after=after)


# --- Deliveries ------------------------------------------------------------------------------------------------------


@app.command()
@on_store
async def pull(
    target: Target,
    group: Group,
    *,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Take at most N.")] = 1,
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="Wait so long when there is nothing.")] = 0.0,
    member: Member = "",
    json: Json = False,
) -> None:
    """Take events that are to be acknowledged, and print them.

    Each is delivered again unless it is acknowledged in the group's time. Prints nothing when nothing is to be had.
    "indelible group consume" does all of it.

    \b
    indelible group pull billing --limit 10 --wait 30 --json
    """
    async with open_groups(target, read_only=False) as groups:
        for delivery in await groups.pull(group, member=member, limit=limit, wait_s=wait):
            if json:
                print_json(_as_json(delivery))
            else:
                parts = describe_event(delivery.event)
                print_parts((f"{delivery.delivery_id}  ", "bold"), (f"attempt {delivery.attempt}  ", "dim"), *parts)


def _as_json(delivery: Delivery) -> dict[str, object]:
    return {
        "delivery_id": delivery.delivery_id,
        "attempt": delivery.attempt,
        "deadline": delivery.deadline,
        "event": msgspec.Raw(delivery.line),
    }


@app.command()
@on_store
async def ack(target: Target, group: Group, delivery_ids: Ids, *, json: Json = False) -> None:
    """Acknowledge deliveries: their events are done.

    Exit code 1 says that some are lost: their time was over and they went to somebody else, or the group was reset.

    \b
    indelible group ack billing 1042-1767225600000001
    """
    async with open_groups(target, read_only=False) as groups:
        _print_settled("acknowledged", await groups.ack(group, delivery_ids), json=json)


@app.command()
@on_store
async def nack(
    target: Target,
    group: Group,
    delivery_ids: Ids,
    *,
    delay: Annotated[float, typer.Option(metavar="SECONDS", help="Deliver again after so long.")] = 0.0,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept with a parked event.")] = "",
    park: Annotated[bool, typer.Option("--park", help="Park at once.")] = False,
    json: Json = False,
) -> None:
    """Refuse deliveries: their events are delivered again, or parked after their last attempt.

    Exit code 1 says that some are lost to the caller already.

    \b
    indelible group nack billing 1042-1767225600000001 --delay 60 --reason 'the bank is closed'
    """
    async with open_groups(target, read_only=False) as groups:
        settled = await groups.nack(group, delivery_ids, delay_s=delay, reason=reason, park=park)
        _print_settled("refused", settled, json=json)


@app.command()
@on_store
async def extend(
    target: Target,
    group: Group,
    delivery_ids: Ids,
    *,
    ack_timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="So long from now. [the group's time]")
    ] = None,
    json: Json = False,
) -> None:
    """Ask for more time to acknowledge deliveries.

    Exit code 1 says that some are lost to the caller already.

    \b
    indelible group extend billing 1042-1767225600000001 --ack-timeout 300
    """
    async with open_groups(target, read_only=False) as groups:
        settled = await groups.extend(group, delivery_ids, ack_timeout_s=ack_timeout)
        _print_settled("extended", settled, json=json)


def _print_settled(done: str, settled: Settled, *, json: bool) -> None:
    if json:
        print_json(settled)
    else:
        print_line(f"{done}: {settled.settled}")
        for delivery_id in settled.lost:
            note(f"lost: {delivery_id}")
    if settled.lost:
        raise typer.Exit(FAILED)


app.command()(group_consume.consume)
