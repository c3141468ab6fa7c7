"""Which handler answers which path. The raw path is matched, so an encoded "/" stays within its segment."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec

from indelible.errors import MethodNotAllowed, RouteNotFound
from indelible.server.http.messages import Request, Response, StreamedResponse
from indelible.server.http.openapi_operation import Operation
from indelible.server.services import Services

Handler = Callable[[Services, Request], Awaitable[Response | StreamedResponse]]


class Route(msgspec.Struct, frozen=True):
    """``path`` holds variable segments as ``{name}``."""

    method: str
    path: str
    handler: Handler
    operation: Operation


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
            for segment in route.path.split("/"):
                node = node.child(segment)
            assert route.method not in node.routes, f"{route.method} {route.path} stands twice"
            node.routes[route.method] = route

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
