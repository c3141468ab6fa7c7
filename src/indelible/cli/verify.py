"""indelible verify"""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from indelible.cli.command import (
    DAMAGED,
    ConfigFile,
    ContextName,
    Json,
    Store,
    Target,
    Url,
    naming_files,
    run,
)
from indelible.cli.output import note, print_error, print_fields, print_json, progress
from indelible.cli.whole_log import open_whole_log
from indelible.errors import InvalidRequest, StoreCorrupted

if TYPE_CHECKING:
    from indelible.core.checkpoints import Checkpoint
    from indelible.core.verify import VerifyReport

_Backup = Annotated[
    str | None, typer.Option("--backup", metavar="SOURCE", help="Check a backup instead: its folder or URL.")
]
_Checkpoints = Annotated[
    Path | None, typer.Option("--checkpoint", metavar="FILE", help="Signed checkpoints to hold the log to, one a line.")
]
_PublicKey = Annotated[
    Path | None, typer.Option("--public-key", metavar="FILE", help="The public key that they are signed by; PEM.")
]


class _What(NamedTuple):
    """What to look at, and what to hold it to."""

    target: Target
    backup: str | None
    checkpoints: "tuple[Checkpoint, ...]"


def verify(
    *,
    backup: _Backup = None,
    checkpoint: _Checkpoints = None,
    public_key: _PublicKey = None,
    url: Url = None,
    store: Store = None,
    context: ContextName = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Check the hash chain of the whole log.

    Exit code 5 names damage: the first position that is not as it was written. A server may have the store open. One
    that controls access is asked by whoever holds read:* and admin:*.

    The chain alone does not show an end that was cut off, nor a log that was rewritten whole. For that, hold it to
    checkpoints that were signed earlier, by "checkpoint create", and kept elsewhere.

    \b
    indelible verify --store sqlite:data/indelible.db
    indelible verify --url http://127.0.0.1:8080 --checkpoint checkpoints.ndjson --public-key key.pub
    indelible verify --backup s3://backups/events
    """
    if backup is not None and (url, store, context) != (None, None, None):
        raise InvalidRequest("give a backup, or a server or store, not both", pointer="/backup")
    checkpoints = _read_checkpoints(checkpoint, public_key)
    run(_verify(_What(Target.chosen(url, store, config, context), backup, checkpoints), json))


def _read_checkpoints(file: Path | None, public_key: Path | None) -> "tuple[Checkpoint, ...]":
    if file is None:
        return ()
    if public_key is None:
        message = "is needed with --checkpoint: it tells whether a checkpoint is one that you have signed"
        raise InvalidRequest(message, pointer="/public_key")
    from indelible.core.checkpoints import read_checkpoints, read_public_key

    with naming_files("/public_key"):
        key = read_public_key(public_key)
    with naming_files("/checkpoint"):
        return read_checkpoints(file, key)


async def _verify(what: _What, json: bool) -> None:
    try:
        report = await _report(what)
    except StoreCorrupted as error:
        # The damage is such that not even the store can be opened, or its head be found.
        print_error(error, as_json=json)
        raise typer.Exit(DAMAGED) from None
    _print(report, what, json)


async def _report(what: _What) -> "VerifyReport":
    held_to = None
    if what.checkpoints:
        from indelible.core.checkpoints import HeldTo

        held_to = HeldTo(what.checkpoints)
    async with AsyncExitStack() as stack:
        advance = stack.enter_context(progress("verifying"))
        if what.backup is not None:
            from indelible.cli.copying import naming, opened_backup
            from indelible.core.backup.reading import verify_backup

            place = await stack.enter_async_context(opened_backup(what.backup, "/backup"))
            with naming("/backup"):
                return await verify_backup(place, held_to=held_to, on_progress=advance)
        from indelible.core.verify import verify as verify_log

        opened = await stack.enter_async_context(open_whole_log(what.target))
        return await verify_log(opened, held_to=held_to, on_progress=advance)


def _print(report: "VerifyReport", what: _What, json: bool) -> None:
    damage = report.damage
    if json:
        print_json(report)
    else:
        result = "ok" if damage is None else f"damaged at position {damage.position}"
        held = [("checkpoints", len(what.checkpoints))] if what.checkpoints else []
        print_fields(
            [("result", result), ("head", report.head), ("verified", report.verified), ("hash", report.hash), *held]
        )
    if damage is not None:
        if not json:
            note(f"indelible: DAMAGED: the event at position {damage.position} {damage.reason}")
        raise typer.Exit(DAMAGED)
