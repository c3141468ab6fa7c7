"""What a route says of itself for ``/openapi.json`` and ``/docs``. Every route has it; no request reads it."""

from typing import Any, Final, Literal

import msgspec

from indelible.operations import Operation as TableRow

Row = TableRow[Any, Any]
Group = Literal["Append", "Read", "Snapshots", "Catalogue", "Consumer groups", "Operations"]


class Answer(msgspec.Struct, frozen=True):
    """An answer without an error. ``body`` is the type of its JSON, ``lines`` that of each line where NDJSON is
    offered too, ``text`` the media type of an answer that is not JSON."""

    status: int
    description: str
    body: Any = None
    headers: tuple[str, ...] = ()
    lines: Any = None
    text: str | None = None
    cloudevents: str | None = None
    """Its media type where it is offered as CloudEvents too."""


NOT_MODIFIED: Final = Answer(304, "As it was when the caller got the ETag that If-None-Match names.", None, ("ETag",))


class Operation(msgspec.Struct, frozen=True):
    """``query`` and ``headers`` name parameters, ``errors`` codes beyond those that every route may answer with;
    what their names mean is said once, in ``openapi_vocabulary``. The path says its own parameters."""

    id: str
    group: Group
    summary: str
    description: str
    answers: tuple[Answer, ...]
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    body: Any = None
    errors: tuple[str, ...] = ()
    cloudevents: tuple[str, ...] = ()
    """Media types of CloudEvents that stand for the body."""
    row: Row | None = None
    """In the table of operations, if it stands there: its Structs say what its parameters mean."""
