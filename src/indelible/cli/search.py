"""indelible search, and indelible index …"""

import re
from typing import Annotated, Any, Final

import msgspec
import typer

from indelible.cli.command import (
    AggregateTypes,
    EventTypes,
    Json,
    Limit,
    OnlySince,
    OnlyUntil,
    Pretty,
    Tags,
    Target,
    on_store,
    open_store,
    with_hint,
)
from indelible.cli.output import note, print_events, print_fields, print_json, print_line, print_rows
from indelible.cli.times import parse_time
from indelible.cursors import Cursor
from indelible.errors import IndexBehind, InvalidRequest
from indelible.eventstore import EventStore
from indelible.index_state import GenerationInfo, IndexInfo
from indelible.limits import PAGE_EVENTS_MAX, SEARCH_WAIT_S
from indelible.search import Order, SearchPage, SearchQuery, Where

app = typer.Typer(help="Look after the query index, which search looks into.", rich_markup_mode=None)

_HOW: Final = (
    "must be FIELD OPERATOR VALUE such as 'event_data.total >= 100', with one of = != < <= > >= in prefix, or "
    "'FIELD exists' or 'FIELD not exists'"
)
_COMPARED: Final = re.compile(r"\s*(\S+?)\s*(<=|>=|!=|=|<|>|\s(?:in|prefix)\s)\s*(.*?)\s*", re.DOTALL)
_LISTED: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^,]*?)\s*,', re.DOTALL)
"""One of a list, and the comma behind it. Within quotation marks a comma is text."""
_EXISTS: Final = re.compile(r"\s*(\S+)\s+(not\s+)?exists\s*")


def parse_where(text: str, pointer: str) -> Where:
    """A condition as people write one. What reads as JSON is that, anything else is text. Raises ``InvalidRequest``."""
    exists = _EXISTS.fullmatch(text)
    if exists is not None:
        return Where(exists[1], "exists", exists[2] is None)
    compared = _COMPARED.fullmatch(text)
    if compared is None:
        raise InvalidRequest(f"{_HOW}; not {text!r}", pointer=pointer)
    field, operator, value = compared[1], compared[2].strip(), compared[3]
    if not value:
        raise InvalidRequest(f'needs a value behind {operator}; an empty text is written ""', pointer=pointer)
    return Where(field, operator, _list(value) if operator == "in" else _value(value))


def _list(text: str) -> Any:
    if text.startswith("["):
        return _value(text)
    # The comma that is added ends the last.
    return [_value(one[1]) for one in _LISTED.finditer(f"{text},")]


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return text


@on_store
async def search(
    target: Target,
    text: Annotated[
        str, typer.Argument(help='All of these words occur in the data; "words in quotation marks" follow one another.')
    ] = "",
    *,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="CONDITION", help="On a field: 'event_data.total >= 100'. Of many given, all hold."),
    ] = None,
    event_type: EventTypes = None,
    aggregate_type: AggregateTypes = None,
    tag: Tags = None,
    since: OnlySince = None,
    until: OnlyUntil = None,
    order: Annotated[Order, typer.Option(help="Which come first.")] = "newest",
    limit: Limit = 20,
    aggregates: Annotated[bool, typer.Option("--aggregates", help="Find aggregates of such events.")] = False,
    wait_for: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Until the index has come there, or to the head: head.")
    ] = None,
    wait_s: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait for that.")] = SEARCH_WAIT_S,
    pretty: Pretty = False,
    json: Json = False,
) -> None:
    """Search for events by the words and values in them.

    A server needs a query index for it. Of a local store, the index that a server keeps beside it is read.

    One a line, as "indelible feed" has them. In a condition, what reads as JSON is that (100, true, "100"), anything
    else is text.

    \b
    indelible search 'refund "too late"' --where 'event_data.total >= 100' --url http://127.0.0.1:8080
    indelible search --event-type OrderPlaced --where 'event_data.customer.id in c-1, c-2' --limit 5
    indelible search --where 'event_data.coupon not exists' --since yesterday --aggregates
    """
    conditions = [parse_where(one, f"/where/{i}") for i, one in enumerate(where or ())]
    query = SearchQuery(
        query=text, where=tuple(conditions), event_types=tuple(event_type or ()),
        aggregate_types=tuple(aggregate_type or ()), tags=tuple(tag or ()),
        since=parse_time(since, "/since"), until=parse_time(until, "/until"),
    )  # fmt: skip
    async with open_store(target, read_only=True, searched=True) as store:
        after = await _wanted(store, wait_for)
        try:
            pages = _Pages(store, query, order=order, aggregates=aggregates, wait_for=after, wait_s=wait_s, limit=limit)
            if aggregates:
                await _print_aggregates(pages, json=json)
            else:
                await print_events(pages.next_page, limit=limit, json=json, pretty=pretty)
        except IndexBehind as error:
            raise with_hint(error, "give --wait-s, or see: indelible index status") from None
    if pages.lag:
        note(f"indelible: the index is {pages.lag} positions before the head")


async def _wanted(store: EventStore, wait_for: str | None) -> Cursor | None:
    if wait_for is None:
        return None
    return (await store.head()).cursor if wait_for == "head" else Cursor.parse(wait_for, "/wait_for")


class _Pages:
    """The pages of a search, one after the other, and how far the index was behind at the last."""

    def __init__(self, store: EventStore, query: SearchQuery, *, limit: int | None, **options: Any) -> None:
        self._store: Final = store
        self._query: Final = query
        self._options: Final = options
        self._left = limit
        self._cursor: str | None = None
        self._is_first = True
        self.lag = 0

    async def next_page(self) -> SearchPage | None:
        if not self._is_first and self._cursor is None:
            return None
        limit = PAGE_EVENTS_MAX if self._left is None else min(self._left, PAGE_EVENTS_MAX)
        if limit <= 0:
            return None
        page = await self._store.search(self._query, limit=limit, cursor=self._cursor, **self._options)
        self._is_first, self._cursor, self.lag = False, page.cursor, page.lag
        if self._left is not None:
            self._left -= page.count
        return page


async def _print_aggregates(pages: _Pages, *, json: bool) -> None:
    is_first = True
    while (page := await pages.next_page()) is not None:
        print_rows(("aggregate_type", "aggregate_id"), page.aggregates, json=json, with_heading=is_first)
        is_first = False


# --- The index -------------------------------------------------------------------------------------------------------


@app.command()
@on_store
async def status(target: Target, *, json: Json = False) -> None:
    """Show what is searched, what is being built, how far each has come, and why it does not go on, if it does not.

    \b
    indelible index status --url http://127.0.0.1:8080
    """
    async with open_store(target, read_only=True, searched=True) as store:
        info = await store.index.status()
    _print_index(info, json=json)


@app.command()
@on_store
async def rebuild(target: Target, *, json: Json = False) -> None:
    """Build the index anew from the log, beside the one that is searched until then.

    \b
    indelible index rebuild --url http://127.0.0.1:8080
    """
    async with open_store(target, read_only=True, searched=True) as store:
        info = await store.index.rebuild()
    _print_index(info, json=json)


@app.command()
@on_store
async def retry(target: Target, *, json: Json = False) -> None:
    """Try again the events that the index refused, once what it says of them is mended.

    \b
    indelible index retry --url http://127.0.0.1:8080
    """
    async with open_store(target, read_only=True, searched=True) as store:
        info = await store.index.retry()
    _print_index(info, json=json)


@app.command()
@on_store
async def drop(target: Target) -> None:
    """Forget the index. Searches are refused until the server has built it anew, which begins at once.

    \b
    indelible index drop --url http://127.0.0.1:8080
    """
    async with open_store(target, read_only=True, searched=True) as store:
        await store.index.drop()
    print_line("the query index is dropped; it is built anew")


def _print_index(info: IndexInfo, *, json: bool) -> None:
    if json:
        print_json(info)
        return
    print_fields(
        [
            ("serving", _described(info.serving)),
            ("building", _described(info.building)),
            ("fields", _fields(info.serving or info.building)),
            ("text", "is found" if info.finds_text else "is not found"),
            ("problem", info.problem or "none"),
            ("rejected", info.rejected_count),
        ]
    )
    for one in info.rejected:
        print_line(f"  {one.event_id} at position {one.position}: {one.reason}")


def _described(one: GenerationInfo | None) -> str:
    if one is None:
        return "none"
    return f"generation {one.number}: {one.documents} events, {one.lag} positions behind, {one.lag_s:.1f} s"


def _fields(one: GenerationInfo | None) -> str:
    declared = [] if one is None else [f"{field.field} ({field.type})" for field in one.fields]
    return ", ".join(declared) or "none declared"
