"""Writes the pages of docs/reference that follow from the code: ``python tools/reference.py``.

tests/docs compares them, so that they cannot fall behind.
"""

import ast
import importlib
import inspect
import itertools
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeGuard

import typer

sys.path.insert(0, str(Path(__file__).parent))  # tests load this file by its path

from grpc_reference import grpc_page

from indelible import errors, limits
from indelible.cli.commands import app
from indelible.operations import OPERATIONS, Operation, operation
from indelible.server import config
from indelible.wire.errors import STATUS_PRECONDITION_FAILED, STATUSES

DIRECTORY = Path(__file__).resolve().parents[1] / "docs" / "reference"


def main() -> None:
    for name, make in PAGES.items():
        (DIRECTORY / name).write_text(make(), "utf-8")


LIMITS_INTRODUCTION = """\
# Limits

Every bound of the store, with its reason; `indelible/limits/` holds them. Over a bound the caller gets an error that
names the field and the bound, and nothing is stored. Sizes are in bytes, times in seconds.
"""

ERRORS_PAGE = """\
# Errors

Over HTTP an error is a problem document (RFC 9457, `application/problem+json`): `type`, `title`, `status`, `detail`
(plain English that says what to do), a stable `code`, and the fields that a program needs. In Python it is an exception
of `indelible.errors` with the same `code`, `message` and `fields`.

`pointer` is the JSON pointer (RFC 6901) of the bad field: in the body, or `/NAME` for a parameter. It and other texts
end with `…` behind 1 KiB.

Over gRPC the status has one of gRPC's own codes, and `grpc-status-details-bin` an `indelible.v1.Error` with code,
message and fields; see the [reference of the API over gRPC](grpc-api.md#errors).

| code | HTTP | gRPC | exception | means |
|---|---|---|---|---|
{rows}

`version_conflict` is {by_header} when the expected version came in a header (`If-Match`, `If-None-Match`).

503 and 507 say that nothing was stored, but for `outcome_unknown`. That one, a broken connection, a time-out, and a
proxy's 502 or 504 mean that the append may be stored: send it again with the same event ids.

## The tree in Python

```text
{tree}
```
"""


OPERATIONS_PAGE = """\
# Operations

What a caller can ask of a store, the same over every API. Each operation is a row of one table
(`indelible.operations`), which both servers, both Python clients, `/openapi.json` and this page follow.

| operation | HTTP | gRPC | Python | permission | repeated | errors of its own |
|---|---|---|---|---|---|---|
{rows}

The permission is what a caller has to be granted, on a server that [knows who asks](../explanation/access.md).

How the Python clients repeat a call whose answer is lost: {retries}

Any operation may also end in `unauthenticated`, `forbidden`, `invalid_request`, `overloaded`, `unavailable`,
`storage_failure`, `store_corrupted` or `internal_error` ([errors](errors.md)).
"""


CONFIGURATION_PAGE = """\
# Configuration

A flag overrides an `INDELIBLE_*` variable, that overrides the TOML file, that the default. `indelible config show`
prints every setting with its value and where that comes from. A value that is not allowed stops the command with an
error that names the setting, its source and what is allowed.

| setting | variable | default | means |
|---|---|---|---|
{rows}

The flag of a setting is its name with `-` for `_`, as in `--log-format`; which commands take which is in their `--help`
([command line](cli.md)).

The TOML file is the one that `--config` or `{variable}` names, else `{file}` in the working directory when it is there.
Its keys are the settings. Unknown ones are refused.

```toml
{example}
```
"""

# --- Limits ----------------------------------------------------------------------------------------------------------


def limits_page() -> str:
    text = [LIMITS_INTRODUCTION]
    areas = [node.module for node in ast.parse(inspect.getsource(limits)).body if _gives_all_on(node)]
    source = "".join(inspect.getsource(importlib.import_module(area)) for area in areas)
    for heading, part in re.findall(r"^# --- (.*?) -+\n(.*?)(?=^# ---|\Z)", source, re.MULTILINE | re.DOTALL):
        if rows := _limit_rows(part):
            text += [f"## {heading}\n", "| limit | value | |", "|---|---:|---|", *rows, ""]
    return "\n".join(text)


def _gives_all_on(node: ast.stmt) -> TypeGuard[ast.ImportFrom]:
    return isinstance(node, ast.ImportFrom) and node.names[0].name == "*"


def _limit_rows(source: str) -> list[str]:
    rows: list[str] = []
    waiting: list[str] = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            waiting.append(node.target.id)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            reason = " ".join(str(node.value.value).split())
            rows += [f"| `{name}` | {_value(name)} | {reason} |" for name in waiting]
            waiting = []
    return rows


def _value(name: str) -> str:
    value: float = getattr(limits, name)
    if "SIZE_BYTES" in name:
        return f"{value // 2**20} MiB" if value >= 2**20 else f"{value // 2**10} KiB"
    return f"{value:,g}" if value < 2**40 else "2^53 - 1"


# --- Errors ----------------------------------------------------------------------------------------------------------


def errors_page() -> str:
    rows = [_error_row(kind) for kind in _kinds(errors.IndelibleError)[1:] if "code" in vars(kind)]
    return ERRORS_PAGE.format(rows="\n".join(rows), by_header=STATUS_PRECONDITION_FAILED, tree=_drawing())


def _kinds(kind: type[errors.IndelibleError]) -> list[type[errors.IndelibleError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _kinds(child))]


def _error_row(kind: type[errors.IndelibleError]) -> str:
    meaning = " ".join((kind.__doc__ or "").replace("``", "`").split())
    statuses = STATUSES[kind.code]
    return f"| `{kind.code}` | {statuses.http} | `{statuses.grpc}` | `{kind.__name__}` | {meaning} |"


def _drawing() -> str:
    return inspect.cleandoc((errors.__doc__ or "").split("::\n\n")[1].split("\n\n")[0])


# --- Operations ------------------------------------------------------------------------------------------------------


def operations_page() -> str:
    rows = [_operation_row(row) for row in OPERATIONS]
    source = inspect.getsource(operation)
    told = re.search(r'Retry = .*?"""How a client repeats a call whose answer is lost\. (.*?)"""', source, re.DOTALL)
    assert told is not None
    retries = re.sub(r'"(\w+)":', r"`\1`:", " ".join(told[1].replace("``", "`").split()))
    return OPERATIONS_PAGE.format(rows="\n".join(rows), retries=retries)


def _operation_row(row: Operation[Any, Any]) -> str:
    codes = ", ".join(f"`{code}`" for code in row.errors)
    ways = " | ".join(f"`{way}`" if way else "" for way in (row.http, row.grpc, row.store_method or row.name))
    return f"| `{row.name}` | {ways} | {row.permission} | {row.retry} | {codes} |"


# --- Command line ----------------------------------------------------------------------------------------------------


def cli_page() -> str:
    """What ``--help`` prints, of every command."""
    pages = list(_help_pages(typer.main.get_command(app), "indelible", None))
    return "# Command line\n\n" + "\n".join(f"## {name}\n\n```text\n{text}\n```\n" for name, text in pages)


def _help_pages(command: Any, name: str, parent: typer.Context | None) -> Iterator[tuple[str, str]]:
    settings = command.context_settings | {"terminal_width": 100}
    context = command.make_context(name, [], parent, resilient_parsing=True, **settings)
    yield context.command_path, command.get_help(context).rstrip()
    for child_name, child in getattr(command, "commands", {}).items():
        yield from _help_pages(child, child_name, context)


# --- Configuration ---------------------------------------------------------------------------------------------------


def configuration_page() -> str:
    defaults = {name: _default(getattr(config.Settings(), name)) for name in config.NAMES}
    meanings = _field_docstrings(config.Settings)
    rows = [
        f"| `{name}` | `{config.variable_of(name)}` | {f'`{default}`' if default else ''} | {meanings.get(name, '')} |"
        for name, default in defaults.items()
    ]
    lines = [f"{name} = {_toml(default)}" for name, default in defaults.items() if default]
    return CONFIGURATION_PAGE.format(
        rows="\n".join(rows),
        file=config.CONFIG_FILE_DEFAULT,
        variable=config.CONFIG_VARIABLE,
        example="\n".join(lines),
    )


def _default(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return (
        "" if value in (None, {}, config.WireSettings()) else f"{value:g}" if isinstance(value, float) else str(value)
    )


def _toml(text: str) -> str:
    return text if text.isdigit() or text in ("true", "false") else f'"{text}"'


def _field_docstrings(kind: type) -> dict[str, str]:
    body = ast.parse(inspect.getsource(kind)).body[0].body  # type: ignore[attr-defined]  # it is a class
    return {
        field.target.id: " ".join(text.value.value.replace("``", "`").split())
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


PAGES: dict[str, Callable[[], str]] = {
    "limits.md": limits_page,
    "errors.md": errors_page,
    "operations.md": operations_page,
    "grpc-api.md": grpc_page,
    "cli.md": cli_page,
    "configuration.md": configuration_page,
}

if __name__ == "__main__":
    sys.exit(main())
