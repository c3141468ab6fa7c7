"""Operations that are one question and one answer: read from the request, asked of the store, answered."""

from typing import Any, TypeVar

from indelible.events import Snapshot, timestamp_to_us
from indelible.operations import Operation, Parameters
from indelible.server.http.links import next_link, with_parameter
from indelible.server.http.messages import Headers, Request, Response, etag
from indelible.server.services import Services
from indelible.wire.operation_json import decode_parameters, encode_answer, query_names

P = TypeVar("P", bound=Parameters)


async def ask(operation: Operation[P, Any], services: Services, request: Request) -> Response:
    parameters = await asked_with(operation, request)
    result = await operation.ask(services.store, parameters)
    body = encode_answer(operation, result)
    if operation.answer is None:
        return Response(204, body)
    status = 201 if getattr(result, "is_new", False) else 200
    return Response(status, body, headers=_headers(operation, request, result))


async def asked_with(operation: Operation[P, Any], request: Request) -> P:
    """What the request holds. Raises ``InvalidRequest``, ``UnsupportedMediaType``, ``PayloadTooLarge``."""
    texts = {name: request.parameter(name) for name in operation.path_parameters}
    query = request.query(*query_names(operation))
    texts.update(query.pairs())
    return decode_parameters(operation, texts, await request.json_body() if operation.has_body else None)


def _headers(operation: Operation[Any, Any], request: Request, result: Any) -> Headers:
    """``ETag`` for what has a version of its own, ``Link`` to the page behind a page."""
    if isinstance(result, Snapshot):
        # Version and time: it may be replaced by another of the same version.
        return ((b"etag", b'"%d-%d"' % (result.version, timestamp_to_us(result.timestamp))),)
    if is_versioned(operation):
        return etag(result.version)
    if is_page(operation) and not result.at_end:
        pairs = request.query(*query_names(operation)).pairs()
        return next_link(request.raw_path.decode("ascii"), with_parameter(pairs, "after", result.cursor))
    return ()


def is_versioned(operation: Operation[Any, Any]) -> bool:
    return operation.answer is not None and "version" in operation.answer.__struct_fields__


def is_page(operation: Operation[Any, Any]) -> bool:
    return operation.answer is not None and {"cursor", "at_end"} <= set(operation.answer.__struct_fields__)
