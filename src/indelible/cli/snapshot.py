"""indelible snapshot save, indelible snapshot show"""

from collections.abc import Coroutine
from typing import Annotated, Any

import msgspec
import typer

from indelible.cli.command import AggregateId, AggregateType, Json, Target, argument_bytes, on_store, open_store
from indelible.cli.output import print_fields, print_json, print_result, shown
from indelible.errors import InvalidRequest
from indelible.events import AggregateKey, Snapshot
from indelible.json_text import compact_json, decode_json

app = typer.Typer(
    help="Save and show snapshots.",
    rich_markup_mode=None,
)


@app.command()
@on_store
def save(
    target: Target,
    aggregate_type: AggregateType,
    aggregate_id: AggregateId,
    version: Annotated[int, typer.Argument(help="The aggregate's version that the state is of.")],
    state: Annotated[str, typer.Argument(help='JSON; "-" reads it from stdin.')],
    *,
    metadata: Annotated[str | None, typer.Option(metavar="JSON", help="A JSON object.")] = None,
    json: Json = False,
) -> Coroutine[Any, Any, None]:
    """Save a state of an aggregate at a version; one that is there already is replaced.

    \b
    indelible snapshot save order 1 3 '{"status": "paid"}'
    """
    text = argument_bytes(state, "/state")
    parsed_metadata = None if metadata is None else _parse(metadata, "/metadata")
    return _save(target, AggregateKey(aggregate_type, aggregate_id), version, text, parsed_metadata, json=json)


async def _save(target: Target, key: AggregateKey, version: int, state: bytes, metadata: Any, *, json: bool) -> None:
    async with open_store(target, read_only=False) as store:
        snapshot = await store.save_snapshot(
            key.aggregate_type, key.aggregate_id, version=version, state=msgspec.Raw(state), metadata=metadata
        )
    saved = f"snapshot of {snapshot.key.stream} at version {snapshot.version} is saved"
    print_result(snapshot, saved, json=json)


@app.command()
@on_store
async def show(
    target: Target,
    aggregate_type: AggregateType,
    aggregate_id: AggregateId,
    *,
    at_version: Annotated[
        int | None, typer.Option(metavar="VERSION", help="The newest that is not above this version.")
    ] = None,
    json: Json = False,
) -> None:
    """Show the newest snapshot of an aggregate.

    \b
    indelible snapshot show order 1 --at-version 10 --json
    """
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
        ("timestamp", shown(snapshot.timestamp)),
        ("state", bytes(snapshot.state_raw).decode("utf-8")),
        ("metadata", bytes(snapshot.metadata_raw).decode("utf-8")),
    ]


def _parse(text: str, pointer: str) -> Any:
    try:
        return decode_json(compact_json(argument_bytes(text, pointer)))
    except InvalidRequest as error:
        raise error.under(pointer) from None
