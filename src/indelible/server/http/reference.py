"""``/openapi.json``, ``/asyncapi.json`` and ``/docs``: what the routes are, for programs and for people.

The page is Swagger UI in one file, which loads ``/openapi.json`` and nothing else. The viewer is in ``swagger_ui``, as
its makers publish it; ``make docs-viewer`` brings another version.
"""

import asyncio
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

import msgspec

from indelible.server.http.asyncapi import build_asyncapi
from indelible.server.http.messages import Request, Response
from indelible.server.http.openapi import build_document
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.http.routing import Route
from indelible.server.services import Services

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


OPENAPI: Final = Operation(
    "openapi",
    "Operations",
    "Get this reference as OpenAPI",
    "OpenAPI 3.1, for generators of clients and for tools.",
    (Answer(200, "The document.", dict[str, Any]),),
)
ASYNCAPI: Final = Operation(
    "asyncapi",
    "Operations",
    "Get the reference of subscriptions as AsyncAPI",
    "AsyncAPI 3.0: the messages of GET /v1/events as text/event-stream.",
    (Answer(200, "The document.", dict[str, Any]),),
)
DOCS: Final = Operation(
    "docs",
    "Operations",
    "Read this reference",
    "One HTML page, to read, to search and to try. It needs nothing from elsewhere.",
    (Answer(200, "The page.", text="text/html"),),
)


def reference_routes(served: Sequence[Route]) -> tuple[Route, ...]:
    """The routes that describe ``served`` and themselves. The answers are made at the first request, and kept."""

    @cache
    def document() -> dict[str, Any]:
        return build_document((*served, *routes))

    @cache
    def document_bytes() -> bytes:
        return msgspec.json.encode(document())

    @cache
    def asyncapi_bytes() -> bytes:
        return msgspec.json.encode(build_asyncapi(document()))

    page = cache(docs_page)

    async def openapi(services: Services, request: Request) -> Response:  # noqa: ARG001 - the same for every request
        return Response(200, document_bytes())

    async def asyncapi(services: Services, request: Request) -> Response:  # noqa: ARG001 - the same for every request
        return Response(200, asyncapi_bytes())

    async def docs(services: Services, request: Request) -> Response:  # noqa: ARG001 - the same for every request
        return await asyncio.to_thread(page)

    routes = (
        Route("GET", "/openapi.json", openapi, OPENAPI),
        Route("GET", "/asyncapi.json", asyncapi, ASYNCAPI),
        Route("GET", "/docs", docs, DOCS),
    )
    return routes
