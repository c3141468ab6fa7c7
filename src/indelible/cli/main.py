"""The command line: ``indelible COMMAND``. Importing this must stay quick; what is heavy is loaded where it is used."""

import io
import sys
from collections.abc import Sequence
from itertools import takewhile
from typing import Annotated

import typer

from indelible.cli import (
    append,
    bench,
    catalogue,
    copy,
    export_events,
    group,
    import_events,
    read,
    relay,
    search,
    serve,
    snapshot,
    store,
)
from indelible.cli.command import BROKEN_PIPE, FAILED, OK, STORAGE, drop_unwritable_output, exit_code_of
from indelible.cli.output import note, print_error, print_line
from indelible.errors import IndelibleError, InvalidRequest

app = typer.Typer(
    name="indelible",
    # Plain help takes a quarter of the time of rich help.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _print_version(is_asked_for: bool) -> None:
    if is_asked_for:
        from importlib.metadata import version as package_version

        print_line(f"indelible {package_version('indelible')}")
        raise typer.Exit


@app.callback()
def indelible(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """An event store for microservices: append, query and replay events.

    Commands work on a server (--url) or on a local store (--store). Settings come from flags, INDELIBLE_* variables
    and a TOML file, in this order; "indelible config show" prints them.

    \b
    indelible serve
    indelible append order 1 OrderPlaced '{"total": 12.50}' --url http://127.0.0.1:8080
    indelible read order 1 --url http://127.0.0.1:8080

    \b
    Exit codes:
      0  done
      1  failed in another way than these, or in part
      2  the command line, a setting or the input is not allowed; nothing was stored
      3  conflict: the aggregate's version, an event id or a condition forbids the append, or a group of this name has
         other settings; nothing was stored
      4  not found
      5  verify, copy or restore found damage
     74  a disk or file returned an error
     75  out of reach, busy, locked, or outcome unknown: try again later
    130  interrupted
    141  the reader of the output has gone
    """


app.command()(serve.serve)
app.command()(store.init)
app.command()(append.append)
app.command()(read.read)
app.command()(read.feed)
app.command()(read.tail)
app.command()(catalogue.aggregates)
app.command("aggregate-types")(catalogue.aggregate_types)
app.command("event-types")(catalogue.event_types)
app.command()(search.search)
app.add_typer(snapshot.app, name="snapshot")
app.add_typer(group.app, name="group")
app.add_typer(relay.app, name="relay")
app.add_typer(search.app, name="index")
app.command("import")(import_events.import_events)
app.command("export")(export_events.export_events)
app.command()(copy.restore)
app.command()(copy.copy)
app.command()(store.verify)
app.command()(store.reindex)
app.command()(store.info)
app.command()(bench.bench)
app.add_typer(store.config, name="config")


def main(args: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. See :mod:`indelible.cli.command`."""
    args = (sys.argv[1:] if args is None else args) or ["--help"]
    as_json = "--json" in takewhile(lambda arg: arg != "--", args)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names may hold what the terminal's encoding lacks.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(list(args), standalone_mode=False)
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


def _usage_message(error: typer.TyperException) -> str:
    context: typer.Context | None = getattr(error, "ctx", None)
    command = "indelible" if context is None else context.command_path
    return f"{error.format_message().rstrip('.')}. Try: {command} --help"


if __name__ == "__main__":
    sys.exit(main())
