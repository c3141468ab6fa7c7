"""indelible schema …: the JSON Schemas that data of event types must fit"""

import sys
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from indelible.cli.command import Json, Target, on_store, open_named, open_store
from indelible.cli.output import print_bytes, print_json, print_result, print_rows
from indelible.errors import InvalidRequest
from indelible.limits import SCHEMA_SIZE_BYTES_MAX
from indelible.schemas import COMPATIBILITIES, check_compatibility

app = typer.Typer(help="Register, show and retire the JSON Schemas of event types.", rich_markup_mode=None)

_COLUMNS: Final = ("event_type", "version", "compatibility", "state", "registered_at")
_READ_BYTES_MAX: Final = 4 * SCHEMA_SIZE_BYTES_MAX
"""Of a file: with white space a schema takes more than in the store."""

EventType = Annotated[str, typer.Argument(metavar="EVENT_TYPE", help="Whose data it is for.")]
_Compatibility = typer.Option(
    metavar="|".join(COMPATIBILITIES),
    help="What this version, and each later one, must keep of the one before. [what was said last; backward at first]",
)


@app.command()
@on_store
async def register(
    target: Target,
    event_type: EventType,
    file: Annotated[str, typer.Argument(metavar="FILE", help="With the schema; - for standard input.")],
    *,
    compatibility: Annotated[str | None, _Compatibility] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would come of it.")] = False,
    json: Json = False,
) -> None:
    """Have data of an event type fit a schema from now on.

    Exits with 3 when the schema does not keep what it must of the version before; with --dry-run too, so that a
    pipeline can ask before it deploys.

    \b
    indelible schema register OrderPlaced order_placed.json --dry-run
    indelible schema register OrderPlaced order_placed.json
    """
    schema = msgspec.Raw(_read(file))
    kept = None if compatibility is None else check_compatibility(compatibility)
    async with open_store(target, read_only=False) as store:
        info = await store.schemas.register(event_type, schema, compatibility=kept, dry_run=dry_run)
    would_be = "would be" if dry_run else "is"
    sentence = (
        f"version {info.version} of the schema of {info.event_type} {would_be} {info.state}, {info.compatibility}"
    )
    print_result(info, sentence, json=json)


@app.command()
@on_store
async def get(
    target: Target,
    event_type: EventType,
    *,
    version: Annotated[int | None, typer.Option(min=1, help="Which version. [the newest]")] = None,
    json: Json = False,
) -> None:
    """Print a schema; with --json what else is known of it too.

    \b
    indelible schema get OrderPlaced --version 1
    """
    async with open_store(target, read_only=True) as store:
        found = await store.schemas.get(event_type, version=version)
    if json:
        print_json(found)
    else:
        print_bytes(bytes(msgspec.json.format(bytes(found.schema_raw))))


@app.command("list")
@on_store
async def list_schemas(target: Target, *, json: Json = False) -> None:
    """List the schemas, those that are retired among them.

    \b
    indelible schema list
    """
    async with open_store(target, read_only=True) as store:
        found = await store.schemas.list()
    print_rows(_COLUMNS, found, json=json)


@app.command()
@on_store
async def versions(target: Target, event_type: EventType, *, json: Json = False) -> None:
    """List the versions of a schema.

    \b
    indelible schema versions OrderPlaced
    """
    async with open_store(target, read_only=True) as store:
        found = await store.schemas.list_versions(event_type)
    print_rows(_COLUMNS, found, json=json)


@app.command("set-compatibility")
@on_store
async def set_compatibility(
    target: Target,
    event_type: EventType,
    compatibility: Annotated[str, typer.Argument(metavar="|".join(COMPATIBILITIES), help="What to keep.")],
    *,
    json: Json = False,
) -> None:
    """Say what the next version of a schema must keep of the one before.

    \b
    indelible schema set-compatibility OrderPlaced full
    """
    kept = check_compatibility(compatibility)
    async with open_store(target, read_only=False) as store:
        info = await store.schemas.set_compatibility(event_type, kept)
    print_result(info, f"the schema of {info.event_type} is {info.compatibility}", json=json)


@app.command()
@on_store
async def retire(target: Target, event_type: EventType, *, json: Json = False) -> None:
    """Have data of an event type fit anything, until a schema is registered again.

    \b
    indelible schema retire OrderPlaced
    """
    async with open_store(target, read_only=False) as store:
        info = await store.schemas.retire(event_type)
    print_result(info, f"the schema of {info.event_type} is {info.state}", json=json)


def _read(file: str) -> bytes:
    if file == "-":
        text = sys.stdin.buffer.read(_READ_BYTES_MAX + 1)
    else:
        with open_named(Path(file), "/file") as opened:
            text = opened.read(_READ_BYTES_MAX + 1)
    if len(text) > _READ_BYTES_MAX:
        raise InvalidRequest(f"takes more than {_READ_BYTES_MAX} bytes", pointer="/file")
    return text
