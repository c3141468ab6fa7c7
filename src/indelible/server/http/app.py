"""The REST API: finds the handler, has its answer sent, turns errors into problem documents."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import msgspec
import structlog

from indelible.access import NOBODY
from indelible.errors import IndelibleError, InternalError, MethodNotAllowed, Overloaded, RouteNotFound
from indelible.limits import LARGE_ANSWER_STALLED_S, LARGE_ANSWERS_SIZE_BYTES_MAX
from indelible.operations import Operation
from indelible.server.call import Call, trace_context
from indelible.server.callers import ANYBODY, Caller, caller_of
from indelible.server.http.exchange import Exchange
from indelible.server.http.messages import (
    BadFraming,
    ClientDisconnected,
    Request,
    Response,
    StreamedResponse,
    problem_response,
)
from indelible.server.principal_limits import PROBES, Use
from indelible.server.reader_room import LARGE_BYTES, ReaderRoom
from indelible.server.services import Services
from indelible.server.tracing import RequestWatch

_log: Final = structlog.get_logger(__name__)
_NO_ROUTE: Final = "none"
_STATUS_CLIENT_DISCONNECTED: Final = 499
"""In metrics only: the caller went away before its answer was due."""

_SPAN_ATTRIBUTES: Final = ("http.request.method", "http.route", "http.response.status_code")
_MAY_WAIT: Final = ("pull", "search")
"""Operations whose callers say how long they may wait for something."""

Handler = Callable[[Call, Request], Awaitable[Response | StreamedResponse]]


class Route(msgspec.Struct, frozen=True):
    """An operation, at the method and path that its row says, and what handles it."""

    operation: Operation[Any, Any]
    handler: Handler


class HttpApp:
    """Serves HTTP alone: the server that runs it opens and closes the store."""

    def __init__(self, services: Services, routes: Iterable[Route]) -> None:
        self._services: Final = services
        routes = tuple(routes)
        self._router: Final = Router(routes)
        half_bytes = LARGE_ANSWERS_SIZE_BYTES_MAX // 2
        self._room_of_newcomers: Final = ReaderRoom(half_bytes, half_bytes, LARGE_ANSWER_STALLED_S)
        self._room_of_others: Final = ReaderRoom(half_bytes, half_bytes, LARGE_ANSWER_STALLED_S)
        self._open_paths: Final = {one.operation.path.encode() for one in routes if one.operation.is_open}
        times = services.metrics.histogram(
            "indelible_http_request_seconds",
            "Time from a request's headers to the end of its answer, in seconds.",
            "method", "route", "status",
        )  # fmt: skip
        self._watch: Final = RequestWatch(services, "http", times, _SPAN_ATTRIBUTES)

    async def __call__(self, exchange: Exchange) -> None:
        request = Request(exchange, self._services.bodies)
        headers = request.headers
        trace = trace_context(headers.get(b"traceparent"), headers.get(b"tracestate"))
        begun = self._watch.begin(trace)
        caller, route = ANYBODY, None
        response: Response | StreamedResponse | None
        try:
            if self._services.authenticator is not None:
                caller = await self._caller_of(exchange, request)
            route, request.parameters = self._router.match(request.method, request.raw_path)
            use = None if route.operation.name in PROBES else self._use_of(exchange, caller)
            call = Call(
                self._services, principal=caller.principal, credentials=caller.credentials, use=use, trace=trace
            )
            response = await route.handler(call, request)
            if route.operation.method == "GET":
                response = unless_caller_has_it(headers, response)
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
        is_read = route is not None and route.operation.permission == "read"
        if isinstance(response, Response) and len(response.body) > LARGE_BYTES and is_read:
            response = await self._answer_large(exchange, response)
            status = response.status
        else:
            status = await self._answer(exchange, response, caller)
        code = response.code if isinstance(response, Response) else None
        may_wait = isinstance(response, StreamedResponse) or (route is not None and route.operation.name in _MAY_WAIT)
        path = _NO_ROUTE if route is None else route.operation.path
        self._watch.end(
            begun, f"{request.method} {path}", request.method, path, status,
            code=code, is_failure=status >= 500, may_wait=may_wait,
        )  # fmt: skip

    async def _answer(self, exchange: Exchange, response: Response | StreamedResponse | None, caller: Caller) -> int:
        """Gives the status."""
        if isinstance(response, Response):
            exchange.answer(response)
            return response.status
        if response is None:
            exchange.abandon()
            return _STATUS_CLIENT_DISCONNECTED
        await self._stream(exchange, response, caller)
        return 200

    async def _answer_large(self, exchange: Exchange, response: Response) -> Response:
        """An answer to a read, which may be refused: nothing was done. Gives what was answered."""
        connection = exchange.connection
        room = self._room_of_others if connection.has_taken_much else self._room_of_newcomers
        size_bytes = len(response.body)
        try:
            async with room.holding(connection, size_bytes, size_bytes):
                exchange.answer(response)
                await connection.drain()
                connection.has_taken_much = True
        except Overloaded as error:
            response = problem_response(error)
            exchange.answer(response)
        except ClientDisconnected:
            pass
        return response

    def _use_of(self, exchange: Exchange, caller: Caller) -> Use | None:
        """Raises ``RateLimited``."""
        limits = self._services.principal_limits
        return None if limits is None else limits.begin_request(caller.principal, exchange.connection)

    async def _caller_of(self, exchange: Exchange, request: Request) -> Caller:
        """Raises ``Unauthenticated`` before anything is said about the path: who is not known learns nothing."""
        if request.raw_path in self._open_paths:
            return Caller(NOBODY)
        return await caller_of(self._services.authenticator, request.headers.get(b"authorization"), exchange.connection)

    async def _stream(self, exchange: Exchange, response: StreamedResponse, caller: Caller) -> None:
        """As long as the caller may have it: one whose credentials are withdrawn gets no more."""
        authenticator = self._services.authenticator
        if authenticator is None:
            await exchange.stream(response)
            return
        task = asyncio.current_task()
        assert task is not None
        with authenticator.watching(caller.credentials, task.cancel):
            await exchange.stream(response)


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
