"""indelible relay …: looking after the relays of a store, and running one"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine
from typing import Annotated, Any, Final

import typer

from indelible.cli.command import (
    INTERRUPTED,
    OK,
    AggregateTypes,
    BeginAfter,
    Beginning,
    EventTypes,
    Json,
    Since,
    Tags,
    Target,
    on_store,
    open_store,
    start_point,
    with_hint,
)
from indelible.cli.output import print_fields, print_json, print_result, print_rows
from indelible.errors import RelayNotFound
from indelible.limits import RELAY_LEASE_S
from indelible.queries import EventQuery
from indelible.relay_state import RelayInfo, Relays

app = typer.Typer(help="Publish events to a message broker, and look after that.", rich_markup_mode=None)
Name = Annotated[str, typer.Argument(metavar="RELAY", help="The relay's name.")]

_COLUMNS: Final = ("relay", "state", "position", "lag", "published", "owner")
_NUMBERS: Final = ("position", "lag", "published")


@contextlib.asynccontextmanager
async def open_relays(target: Target, *, read_only: bool) -> AsyncIterator[Relays]:
    """The relays of a store, as :func:`open_store` opens it; errors about relays say which command helps."""
    try:
        async with open_store(target, read_only=read_only) as store:
            yield store.relays
    except RelayNotFound as error:
        raise with_hint(error, "list those there are: indelible relay list") from None


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
            ]
        )


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
    sink = make_sink(to)
    async with open_store(target, read_only=False, retry_total_s=RELAY_LEASE_S) as store:
        code = await _until_signal(Relay(store, relay, sink, query, start=begin).run())
    raise typer.Exit(code)


async def _until_signal(running: Coroutine[Any, Any, None]) -> int:
    """Run until SIGINT or SIGTERM; the exit code. Raises what the coroutine raises."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(running)
    code = OK

    def stop(number: signal.Signals) -> None:
        nonlocal code
        code = INTERRUPTED if number == signal.SIGINT else OK
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return code


def _print_place(info: RelayInfo, *, json: bool) -> None:
    place = f"relay {info.relay} is {info.state} at position {info.position}, {info.lag} before the head"
    print_result(info, place, json=json)
