"""``/openapi.json``, ``/asyncapi.json`` and ``/docs``: what the routes are, for programs and for people.

The page is Swagger UI in one file, which loads ``/openapi.json`` and nothing else. The viewer is in ``swagger_ui``, as
its makers publish it; ``make docs-viewer`` brings another version.
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

import msgspec

from indelible.operations import Nothing, Operation
from indelible.server.call import Call
from indelible.server.http.app import Handler, Route
from indelible.server.http.messages import Request, Response
from indelible.server.http.openapi import build_asyncapi, build_document

_HERE: Final = files(__package__)
_VIEWER: Final = _HERE.joinpath("swagger_ui")


def docs_page() -> Response:
    """The whole answer. Not for an event loop: the page has two megabytes, and takes some tens of milliseconds."""
    # The style sheet has pictures, as URLs, that have styles of their own; here their end would be its end.
    style = _VIEWER.joinpath("swagger-ui.css").read_text("utf-8").replace("</style", "%3C/style")
    viewer = _VIEWER.joinpath("swagger-ui-bundle.js").read_text("utf-8")
    start = _HERE.joinpath("docs_page.js").read_text("utf-8")
    page = _HERE.joinpath("docs_page.html").read_text("utf-8")
    for place, text in (("{style}", style), ("{start}", start), ("{viewer}", viewer)):
        page = page.replace(place, text, 1)
    body = page.encode()
    # Nothing but these three texts is style or script, so nothing that gets into the page can be; and the page talks
    # to this server alone.
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(viewer)} {_source(start)}; "
        "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = ((b"content-security-policy", policy.encode()), (b"etag", f'"{sha256(body).hexdigest()[:32]}"'.encode()))
    return Response(200, body, "text/html; charset=utf-8", headers)


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


OPENAPI: Final = Operation[Nothing, dict[str, Any]](
    name="openapi", section="Operations", summary="Get this reference as OpenAPI",
    description="OpenAPI 3.1, for generators of clients and for tools.",
    parameters=Nothing, answer=dict[str, Any], answers="The document.",
    http="GET /openapi.json",
    retry="read", permission=None,
)  # fmt: skip
ASYNCAPI: Final = Operation[Nothing, dict[str, Any]](
    name="asyncapi", section="Operations", summary="Get the reference of subscriptions as AsyncAPI",
    description="AsyncAPI 3.0: the messages of GET /v1/events as text/event-stream.",
    parameters=Nothing, answer=dict[str, Any], answers="The document.",
    http="GET /asyncapi.json",
    retry="read", permission=None,
)  # fmt: skip
DOCS: Final = Operation[Nothing, str](
    name="docs", section="Operations", summary="Read this reference",
    description="One HTML page, to read, to search and to try. It needs nothing from elsewhere.",
    parameters=Nothing, answer=str, answers="The page.",
    http="GET /docs", media_type="text/html",
    retry="read", permission=None,
)  # fmt: skip


def reference_routes(served: Sequence[Operation[Any, Any]]) -> tuple[Route, ...]:
    """The routes that describe ``served`` and themselves. The answers are made at the first request, and kept."""

    @cache
    def document() -> dict[str, Any]:
        return build_document((*served, OPENAPI, ASYNCAPI, DOCS))

    @cache
    def asyncapi() -> dict[str, Any]:
        return build_asyncapi(document())

    page = cache(docs_page)

    async def docs(call: Call, request: Request) -> Response:  # noqa: ARG001 - the same for every request
        return await asyncio.to_thread(page)

    return Route(OPENAPI, _always(document)), Route(ASYNCAPI, _always(asyncapi)), Route(DOCS, docs)


def _always(make: Callable[[], dict[str, Any]]) -> Handler:
    encoded = cache(lambda: msgspec.json.encode(make()))

    async def handle(call: Call, request: Request) -> Response:  # noqa: ARG001 - the same for every request
        return Response(200, encoded())

    return handle
