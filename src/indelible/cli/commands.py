"""All commands, as typer has them. Importing this must stay quick; what is heavy is loaded where it is used."""

import logging
from typing import Annotated

import typer

from indelible.cli import (
    append,
    audit,
    backup,
    bench,
    catalogue,
    checkpoint,
    context,
    copy,
    doctor,
    export_events,
    group,
    import_events,
    key,
    read,
    relay,
    schema,
    search,
    serve,
    snapshot,
    store,
    ui,
    verify,
)
from indelible.cli.command import CommandGroup, with_target
from indelible.cli.output import print_line

# Of what a client logs: commands say themselves what people have to know.
logging.getLogger("indelible.client").addHandler(logging.NullHandler())

app = typer.Typer(
    name="indelible",
    cls=CommandGroup,
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

    Commands work on a server (--url, or --context NAME of one that "context add" keeps) or on a local store (--store).
    Settings come from flags, INDELIBLE_* variables and a TOML file, in this order; "indelible config show" prints
    them.

    \b
    indelible serve
    indelible append order 1 OrderPlaced '{"total": 12.50}' --url http://127.0.0.1:8080
    indelible read order 1 --url http://127.0.0.1:8080

    \b
    Exit codes:
      0  done
      1  failed in another way than these, or in part
      2  the command line, a setting or the input is not
         allowed; nothing was stored
      3  conflict: the aggregate's version, an event id or a
         condition forbids the append, a group of this name
         has other settings, or a schema does not keep what
         it must; nothing was stored
      4  not found
      5  verify, backup, export, copy or restore found damage
     74  a disk or file returned an error
     75  out of reach, busy, locked, or outcome unknown: try
         again later
    130  interrupted
    141  the reader of the output has gone
    """


def _add_group(group: typer.Typer, name: str) -> None:
    app.add_typer(group, name=name, cls=CommandGroup)


app.command()(serve.serve)
app.command()(store.init)
app.command()(append.append)
app.command()(read.read)
app.command()(read.feed)
app.command()(read.tail)
app.command()(read.event)
app.command()(catalogue.aggregates)
app.command("aggregate-types")(catalogue.aggregate_types)
app.command("event-types")(catalogue.event_types)
app.command()(search.search)
_add_group(snapshot.app, "snapshot")
_add_group(group.app, "group")
_add_group(relay.app, "relay")
_add_group(search.app, "index")
app.command()(backup.backup)
app.command()(backup.restore)
_add_group(schema.app, "schema")
_add_group(key.app, "key")
app.command()(audit.audit)
app.command("import")(with_target(import_events.import_events))
app.command("export")(with_target(export_events.export_events))
app.command()(copy.copy)
app.command()(verify.verify)
app.command()(doctor.doctor)
app.command()(store.reindex)
app.command()(store.info)
app.command()(ui.ui)
app.command()(bench.bench)
_add_group(checkpoint.app, "checkpoint")
_add_group(context.app, "context")
_add_group(store.config, "config")
