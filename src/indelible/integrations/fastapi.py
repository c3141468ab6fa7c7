"""Services by FastAPI whose state is events: what runs beside the requests, errors as answers, and rules as endpoints.

::

    app, client = FastAPI(), AsyncClient("http://127.0.0.1:8080")
    supervisor = attach(app, client)
    orders = client.typed(EVENTS).repository("order", Order.apply, Order)
    app.put("/orders/{aggregate_id}", status_code=204)(command(orders, Order.place, may_create=True))
    app.get("/orders/{aggregate_id}", response_model=Order)(state(orders))

FastAPI is the application's own: no extra of this package brings it.
"""

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Concatenate, Final, TypeVar

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from indelible.client import AsyncClient, Supervisor, TypedRepository
from indelible.errors import Conflict, IndelibleError, InvalidRequest, NotFound, OutcomeUnknown, Unavailable
from indelible.event_registry import E, TypedEvents
from indelible.events import check_name
from indelible.wire.errors import status_of

T = TypeVar("T")

ANSWERED: Final = (NotFound, Conflict, Unavailable, OutcomeUnknown)
"""Errors that say something to callers of a service. The others are mistakes in it, or in how it is set up."""


def attach(app: FastAPI, client: AsyncClient, *, health: str = "/health") -> Supervisor:
    """Let an application live with a client: that opens and closes with it, and so do the tasks of the supervisor that
    is returned, which is for what runs beside the requests. Call it once, before the application starts.

    Errors of the store are answered in JSON, as ``detail``: what does not exist by 404, a conflict by 409, a store that
    is out of reach by 503. ``health`` is the path that says what is not well, as an object of reasons by name, of which
    ``store`` is one: 200 when it is empty, else 503.
    """
    supervisor = Supervisor()
    given = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[Any]:
        async with client, supervisor, given(app) as state:
            yield state

    async def say_what_fails() -> JSONResponse:
        failing = supervisor.failing | ({"store": str(client.outage)} if client.outage else {})
        return JSONResponse(failing, 503 if failing else 200)

    app.router.lifespan_context = lifespan
    for kind in ANSWERED:
        app.add_exception_handler(kind, _answer)
    app.add_api_route(health, say_what_fails)
    return supervisor


async def _answer(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, IndelibleError)
    retry_after_s = error.fields.get("retry_after_s")
    headers = None if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return JSONResponse({"detail": str(error)}, status_of(error), headers)


def command(
    repository: TypedRepository[T, E],
    decide: Callable[Concatenate[T, ...], TypedEvents[E]],
    *,
    may_create: bool = False,
) -> Callable[..., Coroutine[Any, Any, None]]:
    """An endpoint that asks ``decide`` what to append to the aggregate of its path's ``{aggregate_id}``, and appends
    it, as :meth:`indelible.Repository.update` does. It answers with nothing.

    ``decide`` gets the state, and what FastAPI makes of its other parameters, by their names: a body, say, or what it
    depends on. Its name and docstring are those of the endpoint. An aggregate without events is answered by 404, unless
    the command ``may_create`` it. To refuse for another reason ``decide`` raises FastAPI's ``HTTPException``.
    """
    _, *parameters = inspect.signature(decide, eval_str=True).parameters.values()

    async def endpoint(*, aggregate_id: str, **others: Any) -> None:
        aggregate_id = _checked(aggregate_id)
        await repository.update(aggregate_id, lambda now: decide(now, **others), must_exist=not may_create)

    parameter = inspect.Parameter("aggregate_id", inspect.Parameter.KEYWORD_ONLY, annotation=str)
    by_name = [other.replace(kind=inspect.Parameter.KEYWORD_ONLY) for other in parameters]
    endpoint.__name__, endpoint.__doc__ = decide.__name__, decide.__doc__
    # What FastAPI asks for the parameters.
    vars(endpoint)["__signature__"] = inspect.Signature([parameter, *by_name])
    return endpoint


def state(repository: TypedRepository[T, E]) -> Callable[[str], Coroutine[Any, Any, T]]:
    """An endpoint that answers with the state of the aggregate of its path's ``{aggregate_id}``, or 404 when that has
    no events. Its route says by ``response_model`` what that is."""

    async def load_state(aggregate_id: str) -> Any:
        return (await repository.load(_checked(aggregate_id), must_exist=True)).state

    return load_state


def _checked(aggregate_id: str) -> str:
    """Callers choose it, so it is theirs to mend."""
    try:
        return check_name(aggregate_id, "/aggregate_id")
    except InvalidRequest as error:
        raise HTTPException(422, f"aggregate_id: {error}") from None
