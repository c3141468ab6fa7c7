"""indelible snapshot save, indelible snapshot show"""

from typing import Annotated, Any

import msgspec
import typer

from indelible.cli.input import argument_bytes
from indelible.cli.options import AggregateId, AggregateType, ConfigFile, Json, Store, Url
from indelible.cli.output import print_fields, print_json, print_line
from indelible.cli.running import run
from indelible.cli.target import Target, open_store
from indelible.errors import InvalidRequest
from indelible.events import AggregateKey, Snapshot, format_timestamp, timestamp_to_us
from indelible.json_text import compact_json, decode_json

app = typer.Typer(
    help="Save and show snapshots.",
    rich_markup_mode=None,
)


@app.command()
def save(
    aggregate_type: AggregateType,
    aggregate_id: AggregateId,
    version: Annotated[int, typer.Argument(help="The aggregate's version that the state is of.")],
    state: Annotated[str, typer.Argument(help='JSON; "-" reads it from stdin.')],
    *,
    metadata: Annotated[str | None, typer.Option(metavar="JSON", help="A JSON object.")] = None,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Save a state of an aggregate at a version; one that is there already is replaced.

    \b
    indelible snapshot save order 1 3 '{"status": "paid"}'
    """
    target = Target.chosen(url, store, config)
    text = argument_bytes(state, "/state")
    run(_save(target, AggregateKey(aggregate_type, aggregate_id), version, msgspec.Raw(text), metadata, json=json))


async def _save(
    target: Target, key: AggregateKey, version: int, state: msgspec.Raw, metadata: str | None, *, json: bool
) -> None:
    parsed_metadata = None if metadata is None else _parse(metadata, "/metadata")
    async with open_store(target, read_only=False) as store:
        snapshot = await store.save_snapshot(
            key.aggregate_type, key.aggregate_id, version=version, state=state, metadata=parsed_metadata
        )
    if json:
        print_json(snapshot)
    else:
        print_line(f"snapshot of {snapshot.key.stream} at version {snapshot.version} is saved")


@app.command()
def show(
    aggregate_type: AggregateType,
    aggregate_id: AggregateId,
    *,
    at_version: Annotated[
        int | None, typer.Option(metavar="VERSION", help="The newest that is not above this version.")
    ] = None,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Show the newest snapshot of an aggregate.

    \b
    indelible snapshot show order 1 --at-version 10 --json
    """
    run(_show(Target.chosen(url, store, config), aggregate_type, aggregate_id, at_version, json))


async def _show(target: Target, aggregate_type: str, aggregate_id: str, at_version: int | None, json: bool) -> None:
    async with open_store(target, read_only=True) as store:
        snapshot = await store.get_snapshot(aggregate_type, aggregate_id, at_version=at_version)
    if json:
        print_json(snapshot)
    else:
        print_fields(_fields(snapshot))


def _fields(snapshot: Snapshot) -> list[tuple[str, object]]:
    return [
        ("aggregate", snapshot.key.stream),
        ("version", snapshot.version),
        ("timestamp", format_timestamp(timestamp_to_us(snapshot.timestamp))),
        ("state", bytes(snapshot.state_raw).decode("utf-8")),
        ("metadata", bytes(snapshot.metadata_raw).decode("utf-8")),
    ]


def _parse(text: str, pointer: str) -> Any:
    try:
        return decode_json(compact_json(argument_bytes(text, pointer)))
    except InvalidRequest as error:
        raise error.under(pointer) from None
