"""Runs what a command does, and ends well when the reader of its output goes away."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from typing import Any

import typer

from indelible.cli.exit_codes import BROKEN_PIPE


def run(doing: Coroutine[Any, Any, None]) -> None:
    """Run to the end. Errors and :class:`typer.Exit` pass through."""
    try:
        asyncio.run(doing)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would raise again when the interpreter flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(BROKEN_PIPE) from None
