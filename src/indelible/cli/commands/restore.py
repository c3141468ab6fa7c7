"""indelible restore"""

from pathlib import Path
from typing import Annotated

import typer

from indelible.cli.options import Json, To
from indelible.cli.running import run

_File = Annotated[Path, typer.Argument(help='What export wrote, packed or not; "-" is stdin.')]


def restore(file: _File, *, destination: To, json: Json = False) -> None:
    """Bring a store back from a file that export wrote, exactly as it was.

    Positions, versions, timestamps, event ids and hashes are those of the file, so every cursor stays good, and the
    hash that is printed is the one that "verify" printed for the old store. Files packed by gzip and zstd are read as
    they are. Every event's hash is checked before it is stored, and at the end the store is read back and verified.

    Run the same command again after an interruption: it goes on after what is there. A store that holds anything else
    than the beginning of the file is refused, with the first position that differs. To bring events into a store that
    has others, use import.

    Exit code 5 names damage, in the file by its line. What comes before it is stored.

    \b
    indelible restore backup.ndjson.gz --to sqlite:data/indelible.db
    ssh backups cat events.ndjson.zst | indelible restore - --to postgresql://me@db.internal/events
    """
    from indelible.cli.copying import restore_from

    run(restore_from(str(file), destination, json))
