"""indelible relay …: looking after the relays of a store, and running one"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Coroutine
from typing import Annotated, Any, Final

import typer

from indelible.cli import relay_set_aside
from indelible.cli.command import (
    INTERRUPTED,
    OK,
    AggregateTypes,
    BeginAfter,
    Beginning,
    CommandGroup,
    EventTypes,
    Json,
    Since,
    Tags,
    Target,
    on_store,
    open_store,
    start_point,
)
from indelible.cli.output import print_fields, print_json, print_result, print_rows
from indelible.cli.relay_set_aside import Name, open_relays
from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.groups import StartPoint
from indelible.limits import RELAY_LEASE_S
from indelible.queries import EventQuery
from indelible.relay_state import OnRefusal, RelayInfo
from indelible.tasks import on_signals

app = typer.Typer(help="Publish events to a message broker, and look after that.", rich_markup_mode=None)
app.add_typer(relay_set_aside.app, name="set-aside", cls=CommandGroup)

_COLUMNS: Final = ("relay", "state", "position", "lag", "published", "owner")
_NUMBERS: Final = ("position", "lag", "published")


@app.command("list")
@on_store
async def list_relays(target: Target, *, json: Json = False) -> None:
    """List the relays, and how far each has come.

    \b
    indelible relay list
    """
    async with open_relays(target, read_only=True) as relays:
        found = await relays.list()
    print_rows(_COLUMNS, found, json=json, numbers=_NUMBERS)


@app.command()
@on_store
async def status(target: Target, relay: Name, *, json: Json = False) -> None:
    """Show a relay: who runs it, how far it has come, and why it stands still, if it does.

    \b
    indelible relay status orders-to-nats
    """
    async with open_relays(target, read_only=True) as relays:
        info = await relays.get(relay)
    if json:
        print_json(info)
    else:
        print_fields(
            [
                ("relay", info.relay),
                ("state", info.state),
                ("problem", info.problem or "none"),
                ("owner", f"{info.owner}, for {info.lease_left_s:.1f} s more"),
                ("epoch", info.epoch),
                ("position", info.position),
                ("lag", f"{info.lag} positions, {info.lag_s:.1f} s"),
                ("published", info.published),
                ("set aside", f"{info.set_aside}, {info.to_retry} to be published again"),
                ("replay", _progress(info)),
            ]
        )


def _progress(info: RelayInfo) -> str:
    replay = info.replay
    if replay is None:
        return "none"
    return f"{replay.name} at position {replay.position} of {replay.until_position}, {replay.published} published"


@app.command()
@on_store
async def pause(target: Target, relay: Name, *, json: Json = False) -> None:
    """Publish nothing until "relay resume". The relay keeps its place, and hears of it within seconds.

    \b
    indelible relay pause orders-to-nats
    """
    async with open_relays(target, read_only=False) as relays:
        _print_place(await relays.pause(relay), json=json)


@app.command()
@on_store
async def resume(target: Target, relay: Name, *, json: Json = False) -> None:
    """Go on after a pause; and after a stop, once its cause is mended.

    \b
    indelible relay resume orders-to-nats
    """
    async with open_relays(target, read_only=False) as relays:
        _print_place(await relays.resume(relay), json=json)


@app.command()
@on_store
async def reset(
    target: Target,
    relay: Name,
    *,
    start: Beginning = None,
    after: BeginAfter = None,
    since: Since = None,
    json: Json = False,
) -> None:
    """Publish from another place on; backward, that publishes events again.

    \b
    indelible relay reset orders-to-nats --start beginning
    indelible relay reset orders-to-nats --after 1042
    """
    begin = start_point(start, after, since).given()
    async with open_relays(target, read_only=False) as relays:
        info = await relays.reset(relay, start=begin.start, after=begin.after, since=begin.since)
    _print_place(info, json=json)


@app.command()
@on_store
async def replay(
    target: Target,
    relay: Name,
    *,
    start: Beginning = None,
    after: Annotated[
        str | None,
        typer.Option("--after", "--from", metavar="CURSOR", help="Begin after this cursor; a position is one."),
    ] = None,
    since: Since = None,
    until: Annotated[
        str | None,
        typer.Option("--until", "--to", metavar="CURSOR", help="End with this cursor. [how far the relay has come]"),
    ] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="End the replay that is under way, instead.")] = False,
    json: Json = False,
) -> None:
    """Publish a range again, for a new consumer. What is new is published all the while.

    One range at a time; "relay status" shows how far it has come. Messages of it have a header, indelible-replay.

    \b
    indelible relay replay orders-to-nats --from 0 --to 1042
    indelible relay replay orders-to-nats --since 2026-01-31T00:00:00Z
    indelible relay replay orders-to-nats --cancel
    """
    begin = start_point(start, after, since)
    end = None if until is None else Cursor.parse(until, "/until")
    if cancel and (begin != StartPoint() or end is not None):
        raise InvalidRequest("must not stand next to a range", pointer="/cancel")
    if not cancel:
        begin.given()
    async with open_relays(target, read_only=False) as relays:
        if cancel:
            info = await relays.cancel_replay(relay)
        else:
            info = await relays.replay(relay, start=begin.start, after=begin.after, since=begin.since, until=end)
    print_result(info, f"replay of relay {info.relay}: {_progress(info)}", json=json)


@app.command()
@on_store
async def run(
    target: Target,
    relay: Name,
    *,
    to: Annotated[str, typer.Option(metavar="URL", help="The broker, such as nats://127.0.0.1:4222?stream=EVENTS.")],
    event_type: EventTypes = None,
    aggregate_type: AggregateTypes = None,
    tag: Tags = None,
    start: Beginning = None,
    after: BeginAfter = None,
    since: Since = None,
    on_refusal: Annotated[
        OnRefusal, typer.Option(help="Stop at an event that the broker will never take, or set it aside and go on.")
    ] = "stop",
) -> None:
    """Publish events to a broker, until Ctrl-C.

    It goes on where it ended. When it is new, it begins with the log's first event unless told otherwise. Run as many
    as you like of one name: one publishes, the others stand by and take over within seconds.

    \b
    indelible relay run orders-to-nats --to 'nats://127.0.0.1:4222?stream=EVENTS&create=true'
    """
    from indelible.relays.relay import Relay
    from indelible.relays.sink import make_sink
    from indelible.server.process import configure_logs

    query = EventQuery.of(event_types=event_type or (), aggregate_types=aggregate_type or (), tags=tag or ())
    begin = start_point(start, after, since)
    configure_logs("console", "info")
    # Both that the server is lost and that it is back.
    logging.getLogger("indelible.client").setLevel(logging.INFO)
    sink = make_sink(to)
    async with open_store(target, read_only=False, retry_total_s=RELAY_LEASE_S) as store:
        code = await _until_signal(Relay(store, relay, sink, query, start=begin, on_refusal=on_refusal).run())
    raise typer.Exit(code)


async def _until_signal(running: Coroutine[Any, Any, None]) -> int:
    """Run until SIGINT or SIGTERM; the exit code. Raises what the coroutine raises."""
    task = asyncio.ensure_future(running)
    code = OK

    def stop(number: signal.Signals) -> None:
        nonlocal code
        code = INTERRUPTED if number == signal.SIGINT else OK
        task.cancel()

    with on_signals(stop, signal.SIGINT, signal.SIGTERM), contextlib.suppress(asyncio.CancelledError):
        await task
    return code


def _print_place(info: RelayInfo, *, json: bool) -> None:
    place = f"relay {info.relay} is {info.state} at position {info.position}, {info.lag} before the head"
    print_result(info, place, json=json)
