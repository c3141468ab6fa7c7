"""``/``: what the server has and where its documentation is, as a page for people, and as JSON for programs."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from html import escape
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

import msgspec

from indelible.errors import IndelibleError, NotAcceptable
from indelible.events import JSON_CONTENT_TYPE
from indelible.limits import OVERVIEW_NAME_LENGTH_MAX
from indelible.operations import Nothing, Operation
from indelible.server.call import Call
from indelible.server.http.app import Route
from indelible.server.http.events import negotiate
from indelible.server.http.messages import Headers, Request, Response
from indelible.server.overview import StoreView, StoreViews, Top
from indelible.visible_text import counted, duration, visible

HTML_CONTENT_TYPE: Final = "text/html"

OVERVIEW: Final = Operation[Nothing, str](
    name="overview", section="Operations", summary="Look at what the server has",
    description="One HTML page, which needs nothing from elsewhere: the head, aggregate types and event types, "
    "consumer groups and relays with their lag, and where the documentation is. With `Accept: application/json` the "
    "same as JSON. Shows what the caller may see.",
    parameters=Nothing, answer=str, answers="The page.",
    http="GET /", media_type=HTML_CONTENT_TYPE,
    retry="read", permission=None,
)  # fmt: skip

LINKS: Final[Mapping[str, str]] = {
    "docs": "/docs",
    "openapi": "/openapi.json",
    "asyncapi": "/asyncapi.json",
    "metrics": "/metrics",
    "readiness": "/readyz",
    "liveness": "/livez",
}
_LABELS: Final[Mapping[str, str]] = {
    "docs": "API reference",
    "openapi": "OpenAPI",
    "asyncapi": "AsyncAPI",
    "metrics": "Metrics",
    "readiness": "Readiness",
    "liveness": "Liveness",
}
_HERE: Final = files(__package__)


class Overview(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is at ``/``. What the caller may not see is missing."""

    service: str
    links: Mapping[str, str]
    version: str
    engine: str | None = None
    """The scheme of the store's URL."""
    is_ready: bool
    not_ready_because: str | None = None
    store: StoreView


def overview_route() -> Route:
    views = StoreViews()

    async def handle(call: Call, request: Request) -> Response:
        found = await _overview(call, views)
        if _asks_for_json(request.headers.get(b"accept")):
            return Response(200, msgspec.json.encode(found, enc_hook=str), JSON_CONTENT_TYPE, _HEADERS)
        return Response(200, render(found), f"{HTML_CONTENT_TYPE}; charset=utf-8", (*_HEADERS, *_page_headers()))

    return Route(OVERVIEW, handle)


async def _overview(call: Call, views: StoreViews) -> Overview:
    because = None
    try:
        await call.check_ready(verbose=False)
    except IndelibleError as error:
        because = error.message
    return Overview(
        service="indelible", links=LINKS, version=version("indelible"), engine=call.engine,
        is_ready=because is None, not_ready_because=because, store=await views.of(call.store),
    )  # fmt: skip


def _asks_for_json(accept: bytes | None) -> bool:
    """Whoever wants something else altogether gets the page: here is nothing to fail over."""
    try:
        return negotiate(accept, (HTML_CONTENT_TYPE, JSON_CONTENT_TYPE)) == JSON_CONTENT_TYPE
    except NotAcceptable:
        return False


_HEADERS: Final[Headers] = ((b"cache-control", b"no-store"), (b"vary", b"accept, authorization"))


@cache
def _style() -> str:
    return _HERE.joinpath("overview_page.css").read_text("utf-8")


@cache
def _page_headers() -> Headers:
    """Nothing but the style sheet is in force: there is no script, whatever gets into the page."""
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return ((b"content-security-policy", policy.encode()),)


@cache
def _template() -> str:
    return _HERE.joinpath("overview_page.html").read_text("utf-8").replace("{style}", _style(), 1)


# --- The page --------------------------------------------------------------------------------------------------------


def render(found: Overview) -> bytes:
    """The whole page. Every name in it is somebody else's: it is text, and nothing but text."""
    content = _store(found.store)
    links = "".join(f'<a href="{path[1:]}">{_LABELS[name]}</a>' for name, path in found.links.items())
    # From the end, as what is filled in could hold the name of a place.
    before, _, rest = _template().partition("{about}")
    middle, _, rest = rest.partition("{links}")
    last, _, end = rest.partition("{content}")
    return "".join((before, _about(found), middle, links, last, content, end)).encode()


def _about(found: Overview) -> str:
    words = ["an event store", f"version {_name(found.version)}"]
    if found.engine is not None:
        words.append(f"on {_name(found.engine)}")
    because = found.not_ready_because
    words.append(
        '<span class="good">ready</span>'
        if because is None
        else f'<span class="bad">not ready: {_name(because, 500)}</span>'
    )
    return f'<p class="quiet">{" · ".join(words)}</p>'


def _store(view: StoreView) -> str:
    cards = [
        _card("Aggregate types", "aggregate_types", view, view.aggregate_types, _AGGREGATE_TYPES),
        _card("Event types", "event_types", view, view.event_types, _EVENT_TYPES),
        _card("Consumer groups", "groups", view, view.groups, _GROUPS),
        _card("Relays", "relays", view, view.relays, _RELAYS),
    ]
    if not any((view.head, *cards)):
        return "<section><p>Your grants let you see nothing of what is stored here.</p></section>"
    return f'{_figures(view)}<div class="cards">{"".join(cards)}</div>'


def _figures(view: StoreView) -> str:
    figures: list[tuple[str, int]] = []
    if view.head is not None:
        figures.append(("event", view.head.position))
        if view.head.partitions > 1:
            figures.append(("partition", view.head.partitions))
    for name, top in (("aggregate type", view.aggregate_types), ("group", view.groups), ("relay", view.relays)):
        if top is not None:
            figures.append((name, top.total))
    shown = "".join(
        f'<div><b>{counted(number)}</b><span class="quiet">{name}{"" if number == 1 else "s"}</span></div>'
        for name, number in figures
    )
    problem = _note("Head", "bad", _name(view.problems["head"], 500)) if "head" in view.problems else ""
    return f'<div class="figures">{shown}</div>{problem}'


_Columns = Sequence[tuple[str, str]]
"""A heading and a field. One whose heading begins with "#" is a number."""
_AGGREGATE_TYPES: Final = (("type", "aggregate_type"), ("#aggregates", "aggregates"), ("#events", "events"))
_EVENT_TYPES: Final = (("type", "event_type"), ("of", "aggregate_type"), ("#events", "events"))
_GROUPS: Final = (("group", "group"), ("#lag", "lag"), ("#in flight", "in_flight"), ("#parked", "parked"))
_RELAYS: Final = (("relay", "relay"), ("state", "state"), ("#lag", "lag"), ("#behind", "lag_s"), ("problem", "problem"))


def _card(heading: str, name: str, view: StoreView, top: Top[Any] | None, columns: _Columns) -> str:
    """Empty for what the caller may not see."""
    if top is None:
        return _note(heading, "bad", _name(view.problems[name], 500)) if name in view.problems else ""
    if not top.total:
        return _note(heading, "quiet", "None yet.")
    some = "" if top.total == len(top.first) else f"the first {len(top.first)} of {counted(top.total)}"
    columns = [one for one in columns if any(getattr(row, one[1]) is not None for row in top.first)]
    head = "".join(_cell("th", label, label.removeprefix("#")) for label, _ in columns)
    rows = "".join(f"<tr>{''.join(_row(one, columns))}</tr>" for one in top.first)
    return f"<section><h2>{heading} <small>{some}</small></h2><table><tr>{head}</tr>{rows}</table></section>"


def _note(heading: str, kind: str, text: str) -> str:
    return f'<section><h2>{heading}</h2><p class="{kind}">{text}</p></section>'


def _row(one: object, columns: _Columns) -> Iterable[str]:
    for label, field in columns:
        value = getattr(one, field)
        if field == "lag_s":
            text = duration(value) if value else "–"
        elif isinstance(value, int):
            text = counted(value)
        else:
            text = f"<bdi>{_name(value or '')}</bdi>"
        yield _cell("td", label, text)


def _cell(tag: str, label: str, text: str) -> str:
    return f'<{tag} class="number">{text}</{tag}>' if label.startswith("#") else f"<{tag}>{text}</{tag}>"


def _name(text: str, length_max: int = OVERVIEW_NAME_LENGTH_MAX) -> str:
    return escape(visible(text, length_max))
