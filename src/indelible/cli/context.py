"""indelible context …: servers by names of one's own"""

import os
import stat
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec
import typer

from indelible.cli.command import Json
from indelible.cli.completion import complete_contexts
from indelible.cli.contexts import (
    CONTEXT_VARIABLE,
    Context,
    Contexts,
    changing_contexts,
    check_context_name,
    load_contexts,
    read_token,
)
from indelible.cli.output import note, print_fields, print_json, print_result, print_table
from indelible.errors import InvalidRequest
from indelible.server.config import variable_of
from indelible.store_urls import check_server_url, is_server_url

app = typer.Typer(help="Keep servers by name, and choose the one that commands use.", rich_markup_mode=None)

_Name = Annotated[str, typer.Argument(help="The context's name.", autocompletion=complete_contexts)]
_TokenFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Holds the token to show to the server. The file is read each time."),
]
_FILES: Final = ("token_file", "tls_ca", "tls_certificate", "tls_key")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="The server, such as https://events.internal:8080.")],
    *,
    token_file: _TokenFile = None,
    tls_ca: Annotated[str | None, typer.Option(metavar="FILE", help="Certificates to trust.")] = None,
    tls_certificate: Annotated[str | None, typer.Option(metavar="FILE", help="One to show the server.")] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help="Its key.")] = None,
    use: Annotated[bool, typer.Option("--use", help="Use it from now on.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of one of this name.")] = False,
    json: Json = False,
) -> None:
    """Keep a server by a name.

    Files are named, not copied: what a token file holds is read whenever a command needs it. The server is not asked
    whether it is there.

    \b
    indelible context add dev http://127.0.0.1:8080 --use
    indelible context add prod https://events.internal:8080 --token-file ~/.secrets/prod.token
    """
    check_context_name(name)
    files = {"token_file": token_file, "tls_ca": tls_ca, "tls_certificate": tls_certificate, "tls_key": tls_key}
    context = Context(_server(url), **{field: _file(field, given) for field, given in files.items()})
    if context.token_file is not None:
        _check_token_file(context.token_file)
    with changing_contexts() as contexts:
        if name in contexts.contexts and not replace:
            there = contexts.contexts[name].url
            raise InvalidRequest(
                f"there is a context {name} already, for {there}; give another name, or --replace", pointer="/name"
            )
        contexts.contexts[name] = context
        if use:
            contexts.current = name
        is_current = contexts.current == name
    how = "commands use it now" if is_current else f"commands use it after: indelible context use {name}"
    print_result(_row(name, context, is_current=is_current), f"context {name} is {context.url}; {how}", json=json)


def _server(url: str) -> str:
    if not is_server_url(url):
        raise InvalidRequest(
            f"must be the URL of a server such as http://127.0.0.1:8080, not {url!r}; a local store is named with "
            "--store or INDELIBLE_STORE",
            pointer="/url",
        )
    checked = check_server_url(url)
    if urlsplit(checked).username is not None:
        raise InvalidRequest("must hold no user or password; give --token-file", pointer="/url")
    return checked


def _file(field: str, given: str | None) -> str | None:
    """By its absolute name: commands are run anywhere."""
    if given is None:
        return None
    path = Path(given).expanduser().absolute()
    if not path.is_file():
        raise InvalidRequest(f"there is no file {path}", pointer=f"/{field}")
    return str(path)


def _check_token_file(file: str) -> None:
    read_token(file)
    if Path(file).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        note(f"indelible: warning: others than you may get at {file}: chmod 600 {file}")


@app.command()
def use(
    name: Annotated[str | None, typer.Argument(help="The context's name.", autocompletion=complete_contexts)] = None,
    *,
    none: Annotated[bool, typer.Option("--none", help="Use none.")] = False,
    json: Json = False,
) -> None:
    """Choose the context that commands use from now on.

    One that is named with --context, or by INDELIBLE_CONTEXT, wins over it; so does a server or store that is named in
    any other way.

    \b
    indelible context use prod
    indelible context use --none
    """
    if (name is None) != none:
        raise InvalidRequest("give the name of a context, or --none", pointer="/name")
    with changing_contexts() as contexts:
        if name is not None:
            contexts.named(name)
        contexts.current = name
    if name is None:
        print_result({"current": None}, "commands use no context", json=json)
        return
    print_result({"current": name}, f"commands use context {name}: {contexts.named(name).url}", json=json)
    _tell_what_wins()


@app.command("list")
def list_contexts(*, json: Json = False) -> None:
    """List the contexts; a * stands before the one that commands use.

    \b
    indelible context list
    """
    contexts = load_contexts()
    current = _current(contexts)
    if json:
        for name, context in sorted(contexts.contexts.items()):
            print_json(_row(name, context, is_current=name == current))
        return
    if not contexts.contexts:
        note("there are no contexts; make one: indelible context add NAME URL")
        return
    rows = [
        ("*" if name == current else "", name, context.url, context.token_file or "")
        for name, context in sorted(contexts.contexts.items())
    ]
    print_table(("current", "context", "url", "token_file"), rows)
    _tell_what_wins()


@app.command()
def show(
    name: Annotated[
        str | None,
        typer.Argument(help="The context's name. [the one that commands use]", autocompletion=complete_contexts),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Show a context.

    \b
    indelible context show
    indelible context show prod --json
    """
    contexts = load_contexts()
    current = _current(contexts)
    name = current if name is None else name
    if name is None:
        raise InvalidRequest("no context is in use; give a name, or: indelible context use NAME", pointer="/name")
    row = _row(name, contexts.named(name), is_current=name == current)
    if json:
        print_json(row)
    else:
        print_fields([(field.replace("_", " "), value) for field, value in row.items() if field != "is_current"])


@app.command()
def remove(name: _Name, *, json: Json = False) -> None:
    """Forget a context. Its files stay as they are.

    \b
    indelible context remove prod
    """
    with changing_contexts() as contexts:
        contexts.named(name)
        del contexts.contexts[name]
        was_current = contexts.current == name
        if was_current:
            contexts.current = None
    more = "; commands use none now" if was_current else ""
    print_result({"context": name, "removed": True}, f"context {name} is removed{more}", json=json)


def _current(contexts: Contexts) -> str | None:
    return os.environ.get(CONTEXT_VARIABLE) or contexts.current


def _row(name: str, context: Context, *, is_current: bool) -> dict[str, Any]:
    given = {field: value for field, value in msgspec.structs.asdict(context).items() if value is not None}
    return {"context": name, **given, "is_current": is_current}


def _tell_what_wins() -> None:
    """A person who has set one of these may have forgotten."""
    for variable in (variable_of("url"), variable_of("store"), CONTEXT_VARIABLE):
        if os.environ.get(variable):
            note(f"indelible: {variable} is set, and wins over the context that is in use")
            return
