"""indelible relay set-aside …: what to do about events that a broker refused"""

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Final

import typer

from indelible.cli.command import Json, Target, on_store, open_store, with_hint
from indelible.cli.completion import complete_relays
from indelible.cli.output import print_result, print_rows
from indelible.errors import InvalidRequest, RelayNotFound, SetAsideEventNotFound
from indelible.relay_state import Relays

app = typer.Typer(help="Decide about events that the broker refused and that were set aside.", rich_markup_mode=None)
Name = Annotated[str, typer.Argument(metavar="RELAY", help="The relay's name.", autocompletion=complete_relays)]
Positions = Annotated[list[int] | None, typer.Argument(help="Positions of events that were set aside.")]
All = Annotated[bool, typer.Option("--all", help="All that were set aside.")]

_COLUMNS: Final = ("position", "aggregate_type", "aggregate_id", "set_aside_at", "retry", "reason")


@contextlib.asynccontextmanager
async def open_relays(target: Target, *, read_only: bool) -> AsyncIterator[Relays]:
    """The relays of a store, as :func:`open_store` opens it; errors about relays say which command helps."""
    try:
        async with open_store(target, read_only=read_only) as store:
            yield store.relays
    except RelayNotFound as error:
        raise with_hint(error, "list those there are: indelible relay list") from None
    except SetAsideEventNotFound as error:
        raise with_hint(error, "list those there are: indelible relay set-aside list") from None


@app.command("list")
@on_store
async def list_set_aside(target: Target, relay: Name, *, json: Json = False) -> None:
    """List the events that the broker refused and that nobody has decided about.

    "retry" names the replay by which one is to be published again.

    \b
    indelible relay set-aside list orders-to-nats
    """
    async with open_relays(target, read_only=True) as relays:
        print_rows(_COLUMNS, await relays.list_set_aside(relay), json=json, numbers=("position",))


@app.command()
@on_store
async def retry(
    target: Target, relay: Name, positions: Positions = None, *, all_: All = False, json: Json = False
) -> None:
    """Publish such events again, once what was wrong is mended. Whoever runs the relay does it, within seconds.

    Those that are refused again stay on the list, with the new reason.

    \b
    indelible relay set-aside retry orders-to-nats 1042 1077
    indelible relay set-aside retry orders-to-nats --all
    """
    _check(positions, all_)
    async with open_relays(target, read_only=False) as relays:
        count = await relays.retry_set_aside(relay, positions or None)
    print_result({"retried": count}, f"to be published again: {count}", json=json)


@app.command()
@on_store
async def dismiss(
    target: Target, relay: Name, positions: Positions = None, *, all_: All = False, json: Json = False
) -> None:
    """Give such events up: the broker never gets them.

    \b
    indelible relay set-aside dismiss orders-to-nats 1042
    """
    _check(positions, all_)
    async with open_relays(target, read_only=False) as relays:
        count = await relays.dismiss_set_aside(relay, positions or None)
    print_result({"dismissed": count}, f"dismissed: {count}", json=json)


def _check(positions: list[int] | None, all_: bool) -> None:
    if bool(positions) == all_:
        raise InvalidRequest("give positions of events that were set aside, or --all", pointer="/positions")
