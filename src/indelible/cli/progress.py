"""A progress bar on a terminal, and nothing where stderr is anything else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from indelible.cli.output import console

Advance = Callable[[int, int | None], None]
"""Takes how much is done and how much there is in all (None where nobody knows)."""


@contextmanager
def progress(description: str, *, unit_bytes: bool = False) -> Iterator[Advance]:
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    amount = DownloadColumn() if unit_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
