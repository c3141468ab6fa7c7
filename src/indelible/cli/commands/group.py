"""indelible group …: making consumer groups, and looking after them"""

import sys
from typing import Annotated

import typer

from indelible.cli.commands import group_consume, group_deliveries, group_events
from indelible.cli.commands.feed import Names, parse_time
from indelible.cli.group_store import Group, cursor_of, open_groups, print_group
from indelible.cli.options import ConfigFile, Json, Store, Url
from indelible.cli.output import print_json, print_line, print_table
from indelible.cli.running import run
from indelible.cli.target import Target
from indelible.errors import InvalidRequest
from indelible.groups import GroupInfo, GroupSettings, Start, StartPoint
from indelible.limits import GROUP_ACK_TIMEOUT_DEFAULT_S, GROUP_ATTEMPTS_DEFAULT, GROUP_IN_FLIGHT_DEFAULT
from indelible.queries import EventQuery

app = typer.Typer(
    help="Make consumer groups, look after them, and consume.",
    rich_markup_mode=None,
)
Beginning = Annotated[Start | None, typer.Option(help="Begin with the log's first event, or with what comes.")]
After = Annotated[str | None, typer.Option(metavar="CURSOR", help="Begin after this cursor; a position is one.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Begin with the first event from then on; RFC 3339.")]
COLUMNS = ("group", "position", "lag", "in_flight", "waiting", "parked", "parked_aggregates")


@app.command()
def create(
    group: Group,
    *,
    event_type: Annotated[Names, typer.Option(metavar="TYPE", help="Only this type; of many given, any.")] = None,
    aggregate_type: Annotated[Names, typer.Option(metavar="TYPE", help="Only this type; of many given, any.")] = None,
    tag: Annotated[Names, typer.Option(metavar="TAG", help="Only with this tag; of many given, all.")] = None,
    start: Beginning = None,
    after: After = None,
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
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Make a group.

    It begins with the log's first event unless told otherwise. A group that is there already, with the same filter and
    settings, stays as it is.

    \b
    indelible group create billing --event-type OrderPlaced --event-type OrderPaid
    indelible group create mails --tag newsletter --start end --ack-timeout 120
    """
    target = Target.chosen(url, store, config)
    query = EventQuery.of(event_types=event_type or (), aggregate_types=aggregate_type or (), tags=tag or ())
    settings = GroupSettings(query.items, ack_timeout, max_attempts, max_in_flight).checked()
    run(_create(target, group, settings, _start_point(start, after, since), json=json))


def _start_point(start: Start | None, after: str | None, since: str | None) -> StartPoint:
    return StartPoint(start, cursor_of(after), parse_time(since, "/since"))


async def _create(target: Target, group: str, settings: GroupSettings, start: StartPoint, *, json: bool) -> None:
    async with open_groups(target, read_only=False) as store:
        info = await store.groups.create(
            group, EventQuery(settings.items), start=start.start, after=start.after, since=start.since,
            ack_timeout_s=settings.ack_timeout_s, max_attempts=settings.max_attempts,
            max_in_flight=settings.max_in_flight,
        )  # fmt: skip
    _print_place(info, json=json)


def _print_place(info: GroupInfo, *, json: bool) -> None:
    if json:
        print_json(info)
    else:
        print_line(f"group {info.group} is at position {info.position}, {info.lag} before the head")


@app.command("list")
def list_(*, url: Url = None, store: Store = None, config: ConfigFile = None, json: Json = False) -> None:
    """List the groups, and how far they have come.

    \b
    indelible group list
    """
    run(_list(Target.chosen(url, store, config), json))


async def _list(target: Target, json: bool) -> None:
    async with open_groups(target, read_only=True) as store:
        found = await store.groups.list()
    if json:
        for info in found:
            print_json(info)
        return
    print_table(COLUMNS, [[getattr(info, name) for name in COLUMNS] for info in found], numbers=COLUMNS[1:])


@app.command()
def show(group: Group, *, url: Url = None, store: Store = None, config: ConfigFile = None, json: Json = False) -> None:
    """Show a group: its filter, its settings, and how far it has come.

    "position" is the checkpoint: every event up to there is acknowledged, parked or skipped. "lag" counts the positions
    from there to the head.

    \b
    indelible group show billing
    """
    run(_show(Target.chosen(url, store, config), group, json))


async def _show(target: Target, group: str, json: bool) -> None:
    async with open_groups(target, read_only=True) as store:
        print_group(await store.groups.get(group), json=json)


@app.command()
def change(
    group: Group,
    *,
    ack_timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="Time to acknowledge an event.")] = None,
    max_attempts: Annotated[int | None, typer.Option(metavar="N", help="Deliveries before an event is parked.")] = None,
    max_in_flight: Annotated[int | None, typer.Option(metavar="N", help="Events with members at once.")] = None,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Change a group's settings, for deliveries from now on.

    Its filter cannot be changed: make another group, after this one's position.

    \b
    indelible group change billing --ack-timeout 120 --max-attempts 10
    """
    target = Target.chosen(url, store, config)
    if ack_timeout is None and max_attempts is None and max_in_flight is None:
        raise InvalidRequest("give at least one of --ack-timeout, --max-attempts and --max-in-flight")
    run(_change(target, group, ack_timeout, max_attempts, max_in_flight, json=json))


async def _change(
    target: Target,
    group: str,
    ack_timeout: float | None,
    max_attempts: int | None,
    max_in_flight: int | None,
    *,
    json: bool,
) -> None:
    async with open_groups(target, read_only=False) as store:
        info = await store.groups.change(
            group, ack_timeout_s=ack_timeout, max_attempts=max_attempts, max_in_flight=max_in_flight
        )
    print_group(info, json=json)


@app.command()
def delete(
    group: Group,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Delete a group, and what it knows of parked and skipped events. No event is deleted.

    On a terminal it asks first; elsewhere it wants --yes.

    \b
    indelible group delete billing --yes
    """
    target = Target.chosen(url, store, config)
    if not yes:
        _ask(group)
    run(_delete(target, group, json))


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
    async with open_groups(target, read_only=False) as store:
        await store.groups.delete(group)
    if json:
        print_json({"group": group, "deleted": True})
    else:
        print_line(f"group {group} is deleted")


@app.command()
def reset(
    group: Group,
    *,
    start: Beginning = None,
    after: After = None,
    since: Since = None,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Let a group read from another place on. Backward, that delivers events again.

    What members have at the moment is lost to them. What is parked before the place stays parked.

    \b
    indelible group reset billing --start beginning
    indelible group reset billing --since 2026-01-31T00:00:00Z
    """
    target = Target.chosen(url, store, config)
    if start is None and after is None and since is None:
        raise InvalidRequest("give one of --start, --after and --since", pointer="/start")
    run(_reset(target, group, _start_point(start, after, since), json=json))


async def _reset(target: Target, group: str, start: StartPoint, *, json: bool) -> None:
    async with open_groups(target, read_only=False) as store:
        info = await store.groups.reset(group, start=start.start, after=start.after, since=start.since)
    _print_place(info, json=json)


app.command("in-flight")(group_events.in_flight)
app.command()(group_events.parked)
app.command()(group_events.replay)
app.command()(group_events.skip)
app.command()(group_events.skipped)
app.command()(group_deliveries.pull)
app.command()(group_deliveries.ack)
app.command()(group_deliveries.nack)
app.command()(group_deliveries.extend)
app.command()(group_consume.consume)
