"""The REST API: finds the handler, has its answer sent, turns errors into problem documents."""

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import msgspec
import structlog

from indelible.errors import IndelibleError, InternalError, MethodNotAllowed, RouteNotFound
from indelible.operations import Operation
from indelible.server.call import Call, trace_context
from indelible.server.http.exchange import Exchange
from indelible.server.http.messages import (
    BadFraming,
    ClientDisconnected,
    Request,
    Response,
    StreamedResponse,
    problem_response,
)
from indelible.server.services import Services

_log: Final = structlog.get_logger(__name__)
_NO_ROUTE: Final = "none"
_STATUS_CLIENT_DISCONNECTED: Final = 499
"""In metrics only: the caller went away before its answer was due."""

Handler = Callable[[Call, Request], Awaitable[Response | StreamedResponse]]


class Route(msgspec.Struct, frozen=True):
    """An operation, at the method and path that its row says, and what handles it."""

    operation: Operation[Any, Any]
    handler: Handler


class HttpApp:
    """Serves HTTP alone: the server that runs it opens and closes the store."""

    def __init__(self, services: Services, routes: Iterable[Route]) -> None:
        self._services: Final = services
        self._router: Final = Router(routes)
        self._requests: Final = services.metrics.histogram(
            "indelible_http_request_seconds",
            "Time from a request's headers to the end of its answer, in seconds.",
            "method", "route", "status",
        )  # fmt: skip

    async def __call__(self, exchange: Exchange) -> None:
        started = time.perf_counter()
        request = Request(exchange, self._services.bodies)
        path = _NO_ROUTE
        response: Response | StreamedResponse | None
        try:
            route, request.parameters = self._router.match(request.method, request.raw_path)
            path = route.operation.path
            response = await route.handler(self._call_of(request), request)
            if route.operation.method == "GET":
                response = unless_caller_has_it(request.headers, response)
        except IndelibleError as error:
            response = problem_response(error)
        except BadFraming as refusal:
            response = problem_response(refusal.error, refusal.status)
        except ClientDisconnected:
            response = None
        except Exception as error:  # noqa: BLE001 - whatever broke, the caller must get an answer
            response = problem_response(_internal_error(request, error))
        finally:
            self._services.bodies.give_back(request.body_size_bytes)
        if isinstance(response, Response):
            exchange.answer(response)
            status = response.status
        elif response is None:
            exchange.abandon()
            status = _STATUS_CLIENT_DISCONNECTED
        else:
            await exchange.stream(response)
            status = 200
        self._requests.observe(time.perf_counter() - started, request.method, path, status)

    def _call_of(self, request: Request) -> Call:
        headers = request.headers
        return Call(self._services, trace=trace_context(headers.get(b"traceparent"), headers.get(b"tracestate")))


def _internal_error(request: Request, error: Exception) -> InternalError:
    _log.error("request failed", method=request.method, path=request.raw_path.decode("latin-1"), exc_info=error)
    return InternalError("something is wrong in the server; its log has the details")


def unless_caller_has_it(
    headers: dict[bytes, bytes], response: Response | StreamedResponse
) -> Response | StreamedResponse:
    """The answer to a GET; 304 in its place when the caller has it already (RFC 9110, section 13.1)."""
    asked = headers.get(b"if-none-match")
    if asked is None or not isinstance(response, Response) or response.status != 200:
        return response
    tag = dict(response.headers).get(b"etag")
    if tag is None or (asked != b"*" and tag not in [one.strip().removeprefix(b"W/") for one in asked.split(b",")]):
        return response
    return Response(304, b"", headers=response.headers)


# --- Which handler answers which path. The raw path is matched, so an encoded "/" stays within its segment. ----------


class _Node:
    """What can follow after some segments."""

    __slots__ = ("literal", "routes", "variable")

    def __init__(self) -> None:
        self.literal: dict[bytes, _Node] = {}
        self.variable: tuple[str, _Node] | None = None
        self.routes: dict[str, Route] = {}

    def child(self, segment: str) -> "_Node":
        if not segment.startswith("{"):
            return self.literal.setdefault(segment.encode(), _Node())
        name = segment[1:-1]
        if self.variable is None:
            self.variable = (name, _Node())
        assert self.variable[0] == name, "one place in a path has one name"
        return self.variable[1]


class Router:
    """A literal segment goes before a variable one. HEAD is answered where GET is."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root: Final = _Node()
        for route in routes:
            node = self._root
            for segment in route.operation.path.split("/"):
                node = node.child(segment)
            method = route.operation.method
            assert method not in node.routes, f"{method} {route.operation.path} stands twice"
            node.routes[method] = route

    def match(self, method: str, raw_path: bytes) -> tuple[Route, dict[str, bytes]]:
        """The route, and the variable segments as they came. Raises ``RouteNotFound``, ``MethodNotAllowed``."""
        node, parameters = self._find(raw_path)
        route = node.routes.get("GET" if method == "HEAD" else method)
        if route is None:
            allowed = [*node.routes, *(["HEAD"] if "GET" in node.routes else [])]
            raise MethodNotAllowed(f"{method} is not possible here, only {', '.join(allowed)}", allowed=allowed)
        return route, parameters

    def _find(self, raw_path: bytes) -> tuple[_Node, dict[str, bytes]]:
        node = self._root
        parameters: dict[str, bytes] = {}
        for segment in raw_path.split(b"/"):
            following = node.literal.get(segment)
            if following is None:
                if node.variable is None:
                    raise _not_found(raw_path)
                name, following = node.variable
                parameters[name] = segment
            node = following
        if not node.routes:
            raise _not_found(raw_path)
        return node, parameters


def _not_found(raw_path: bytes) -> RouteNotFound:
    return RouteNotFound(f"nothing is at {raw_path.decode('utf-8', 'replace')}")
