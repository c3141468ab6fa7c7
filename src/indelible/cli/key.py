"""indelible key …: the keys of those who call servers of a store"""

from typing import Annotated, Final

import typer

from indelible.cli.command import Json, Target, on_store, open_store
from indelible.cli.output import note, print_json, print_line, print_result, print_rows
from indelible.cli.times import duration_s
from indelible.errors import InvalidRequest
from indelible.keys import NewKey

app = typer.Typer(help="Make, list and revoke the keys that callers of servers show.", rich_markup_mode=None)

_COLUMNS: Final = ("key_id", "name", "state", "grants", "created_at", "expires_at")


@app.command()
@on_store
async def create(
    target: Target,
    *,
    name: Annotated[str, typer.Option(help="Whose key it is, for people.")],
    grant: Annotated[
        list[str],
        typer.Option(
            metavar="PERMISSION:PATTERN",
            help="What it allows: append, read, consume or admin, and an aggregate type, or the beginning of some "
            "before a *. May be given again.",
        ),
    ],
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long it holds: a number and s, m, h, d or w. [for ever]")
    ] = None,
    json: Json = False,
) -> None:
    """Make a key, and show it this once.

    The first key, admin:*, is made on the store itself, by whoever may open that: with --store, while no server has a
    store in a file open. Servers ask for keys when their configuration has a table [access].

    \b
    indelible key create --store sqlite:data/indelible.db --name admin --grant 'admin:*'
    indelible key create --name billing --grant append:invoice --grant 'read:*' --expires 90d
    """
    expires_in_s = _seconds(expires)
    async with open_store(target, read_only=False) as store:
        made = await store.keys.create(name, grant, expires_in_s=expires_in_s)
    _print_new(made, json=json)


def _print_new(made: NewKey, *, json: bool) -> None:
    if json:
        print_json(made)
        return
    print_line(made.key)
    note(f"indelible: key {made.key_id} ({made.name}) is made; it is shown this once, so keep it now")


@app.command("list")
@on_store
async def list_keys(target: Target, *, json: Json = False) -> None:
    """List the keys, those that are expired or revoked among them.

    \b
    indelible key list
    """
    async with open_store(target, read_only=True) as store:
        found = await store.keys.list()
    print_rows(_COLUMNS, found, json=json)


@app.command()
@on_store
async def revoke(
    target: Target,
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help='Of the key, as "key list" shows it.')],
    *,
    json: Json = False,
) -> None:
    """Revoke a key, for ever. Servers refuse it within 5 seconds.

    \b
    indelible key revoke 6f1c0e5d2a9b4c37
    """
    async with open_store(target, read_only=False) as store:
        info = await store.keys.revoke(key_id)
    print_result(info, f"key {info.key_id} ({info.name}) is {info.state}", json=json)


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    seconds = duration_s(text)
    if seconds is None:
        raise InvalidRequest(f"must be a number and s, m, h, d or w, such as 90d, not {text!r}", pointer="/expires")
    return float(seconds)
