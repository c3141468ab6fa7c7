"""Runs what a command does, and ends well when the reader of its output goes away."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from typing import Any

import typer

from indelible.cli.exit_codes import BROKEN_PIPE


def run(doing: Coroutine[Any, Any, None]) -> None:
    """Run to the end. Errors and :class:`typer.Exit` pass through.

    A command that a shell has started with SIGINT ignored, as in the background of a script, goes on ignoring it: it
    was not meant. Commands that are services, ``serve`` and ``group consume``, stop at SIGINT whatever they inherited.
    """
    try:
        asyncio.run(doing)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_unwritable_output()
        raise typer.Exit(BROKEN_PIPE) from None


def drop_unwritable_output() -> None:
    """Forget what stdout does not take: it would raise again at every flush, the interpreter's last one included."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
