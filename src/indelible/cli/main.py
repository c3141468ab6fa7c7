"""The command line: ``indelible COMMAND``. See :mod:`indelible.cli.commands` for what there is, and
:mod:`indelible.cli.command` for what every command is made of.

This imports next to nothing, so that Ctrl-C is answered as it should be from the start, while the rest is imported too.
"""

import sys
from collections.abc import Sequence
from typing import Any

_INTERRUPTED = 130
"""As in :mod:`indelible.cli.command`, which may not be there yet."""


def main(args: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    try:
        return _run(list((sys.argv[1:] if args is None else args) or ["--help"]))
    except KeyboardInterrupt:
        # Typer does so too, once it runs.
        return _INTERRUPTED


def _run(args: list[str]) -> int:
    from itertools import takewhile

    import typer

    from indelible.cli.command import BROKEN_PIPE, FAILED, OK, STORAGE, drop_unwritable_output, exit_code_of
    from indelible.cli.commands import app
    from indelible.cli.output import note, print_error, take_any_text
    from indelible.errors import IndelibleError, InvalidRequest

    as_json = "--json" in takewhile(lambda arg: arg != "--", args)
    take_any_text()
    try:
        code = app(args, prog_name="indelible", standalone_mode=False)
        sys.stdout.flush()
    except IndelibleError as error:
        print_error(error, as_json=as_json)
        return exit_code_of(error)
    except typer.TyperException as error:
        print_error(InvalidRequest(_usage_message(error)), as_json=as_json)
        return error.exit_code
    except BrokenPipeError:
        drop_unwritable_output()
        return BROKEN_PIPE
    except OSError as error:
        drop_unwritable_output()
        print_error(
            IndelibleError(f"{error.filename or 'input or output'}: {error.strerror or error}"), as_json=as_json
        )
        return STORAGE
    except typer.Abort:
        note("indelible: aborted")
        return FAILED
    return code if isinstance(code, int) else OK


def _usage_message(error: Any) -> str:
    context = getattr(error, "ctx", None)
    command = "indelible" if context is None else context.command_path
    return f"{error.format_message().rstrip('.')}. Try: {command} --help"


if __name__ == "__main__":
    sys.exit(main())
