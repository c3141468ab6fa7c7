"""The REST API: finds the handler, has its answer sent, turns errors into problem documents."""

import time
from collections.abc import Iterable
from typing import Final

import structlog

from indelible.errors import IndelibleError, InternalError
from indelible.server.http.exchange import Exchange
from indelible.server.http.messages import (
    BadFraming,
    ClientDisconnected,
    Request,
    Response,
    StreamedResponse,
    problem_response,
)
from indelible.server.http.preconditions import unless_caller_has_it
from indelible.server.http.routing import Route, Router
from indelible.server.services import Services

_log: Final = structlog.get_logger(__name__)
_NO_ROUTE: Final = "none"
_STATUS_CLIENT_DISCONNECTED: Final = 499
"""In metrics only: the caller went away before its answer was due."""


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
            path = route.path
            response = await route.handler(self._services, request)
            if route.method == "GET":
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
        status = await _send(exchange, response)
        self._requests.observe(time.perf_counter() - started, request.method, path, status)


async def _send(exchange: Exchange, response: Response | StreamedResponse | None) -> int:
    """Answer; returns the status."""
    if response is None:
        exchange.abandon()
        return _STATUS_CLIENT_DISCONNECTED
    await exchange.send(response)
    return 200 if isinstance(response, StreamedResponse) else response.status


def _internal_error(request: Request, error: Exception) -> InternalError:
    _log.error("request failed", method=request.method, path=request.raw_path.decode("latin-1"), exc_info=error)
    return InternalError("something is wrong in the server; its log has the details")
