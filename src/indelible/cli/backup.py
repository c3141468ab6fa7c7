"""indelible backup, indelible restore"""

from typing import Annotated

import typer

from indelible.cli.command import ConfigFile, ContextName, Json, Store, Target, Url, run
from indelible.cli.times import duration_s
from indelible.errors import InvalidRequest
from indelible.limits import BACKUP_INTERVAL_MAX_S, BACKUP_INTERVAL_MIN_S

_Destination = Annotated[
    str, typer.Argument(metavar="DESTINATION", help="A folder, or a bucket's URL such as s3://BUCKET/FOLDER.")
]
_Every = Annotated[
    str | None, typer.Option(metavar="TIME", help="Go on, with a backup so often: 10s, 15m or 6h. Until it is stopped.")
]
_Source = Annotated[
    str,
    typer.Argument(metavar="SOURCE", help='A backup\'s folder or URL; or a file that export wrote, "-" for stdin.'),
]
_Into = Annotated[str, typer.Option("--store", metavar="URL", help="A store's URL; no server may have it open.")]
_To = Annotated[str | None, typer.Option("--to", metavar="POSITION", help="Only up to the event at this position.")]


def backup(
    destination: _Destination,
    *,
    every: _Every = None,
    url: Url = None,
    store: Store = None,
    context: ContextName = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Back a store up into a folder or a bucket, while it is in use.

    A first run writes the whole log, each later one what has come since. Whenever one is interrupted, the backup that
    was there before stays good, and the next run goes on. Every event's hash is checked as it passes. A destination
    that holds the backup of another log is refused. A server that controls access is backed up by whoever holds read:*
    and admin:*.

    Snapshots are not in a backup: aggregates are loaded without them. Nor is the query index, which is made anew. Of
    consumer groups and relays the settings and checkpoints are in it; what is parked or set aside is counted.

    Credentials and the endpoint of a bucket are taken from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    AWS_REGION, AWS_ENDPOINT.

    Exit code 5 names damage in the store; what comes before it is backed up.

    \b
    indelible backup /backups/events --store sqlite:data/indelible.db
    indelible backup s3://backups/events --url http://127.0.0.1:8080 --every 10s
    """
    interval_s = None if every is None else _seconds(every)
    target = Target.chosen(url, store, config, context)
    from indelible.cli.backing_up import back_up

    run(back_up(target, destination, interval_s, json))


def _seconds(text: str) -> int:
    seconds = duration_s(text)
    if seconds is None or not BACKUP_INTERVAL_MIN_S <= seconds <= BACKUP_INTERVAL_MAX_S:
        raise InvalidRequest(f"must be a time such as 10s, 15m or 6h, up to 168h, not {text!r}", pointer="/every")
    return seconds


def restore(source: _Source, *, store: _Into, to: _To = None, json: Json = False) -> None:
    """Bring a store back from a backup, or from a file that export wrote, exactly as it was.

    Positions, versions, timestamps, event ids and hashes are those of the source, so every cursor stays good, and the
    hash that is printed is the one that "verify" printed for the old store. Every event's hash is checked before it is
    stored, and at the end the store is read back and verified. From a backup, consumer groups and relays are made too,
    at their checkpoints; with --to, none is past that position. Files may be packed by gzip or zstd.

    Run the same command again after an interruption: it goes on after what is there. A store that holds anything else
    than the beginning of the source is refused, with the first position that differs. To bring events into a store that
    has others, use import.

    Exit code 5 names damage: its position, in a file its line too. What comes before it is stored.

    \b
    indelible restore /backups/events --store sqlite:data/indelible.db
    indelible restore s3://backups/events --store postgresql://me@db.internal/events --to 123456
    ssh backups cat events.ndjson.zst | indelible restore - --store sqlite:data/indelible.db
    """
    up_to = None if to is None else _position(to)
    from indelible.cli.copying import restore_from

    run(restore_from(source, store, json, up_to=up_to))


def _position(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text[:20]) > 0:
        return int(text[:20])
    raise InvalidRequest(f"must be a position: a number from 1, not {text!r}; --store names the store", pointer="/to")
