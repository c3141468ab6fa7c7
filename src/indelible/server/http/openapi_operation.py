"""What a route says of itself for ``/openapi.json`` and ``/docs``. Every route has it; no request reads it."""

from typing import Any, Final, Literal

import msgspec

from indelible.operations import Operation as TableRow

Row = TableRow[Any, Any]
Group = Literal["Append", "Read", "Snapshots", "Catalogue", "Consumer groups", "Operations"]


class Answer(msgspec.Struct, frozen=True):
    """An answer without an error. ``body`` is the type of its JSON, ``text`` the media type of an answer that is not
    JSON. One that is offered in other media types too has ``not_acceptable`` among the operation's errors, and is
    described in its prose: generators of clients make nothing useful of one answer in several."""

    status: int
    description: str
    body: Any = None
    headers: tuple[str, ...] = ()
    text: str | None = None


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
    row: Row | None = None
    """In the table of operations, if it stands there: its Structs say what its parameters mean."""
