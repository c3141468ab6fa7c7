"""``/openapi.json``, ``/asyncapi.json`` and ``/docs``: what the routes are, for programs and for people."""

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import msgspec

from indelible.server.http.asyncapi import build_asyncapi
from indelible.server.http.docs_page import docs_page
from indelible.server.http.messages import Request, Response
from indelible.server.http.openapi import build_document
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.http.routing import Route
from indelible.server.services import Services

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
