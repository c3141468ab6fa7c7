"""The services of gRPC itself: health, as ``/readyz`` tells it, and reflection, so that tools such as grpcurl and ghz
learn the API.

grpcio-reflection knows v1alpha alone, and not the names of methods, fields and enum values, which tools look up. Its
messages are used here, for both versions: they are the same but for the package's name.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import Any, Final

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import Default
from grpc_health.v1.health_pb2 import DESCRIPTOR, HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha import reflection_pb2 as pb

from indelible.errors import IndelibleError
from indelible.limits import HEALTH_WATCH_INTERVAL_S
from indelible.server.call import Call
from indelible.server.grpc.calls import MakeRoom, Method, Streams, ToStream, Unary, decode_message
from indelible.server.grpc.exchange import Refused
from indelible.server.services import Services
from indelible.tasks import is_set_within
from indelible.wire.errors import GRPC_NUMBERS

HEALTH_SERVICE: Final[str] = DESCRIPTOR.services_by_name["Health"].full_name


class Health:
    """``names``: the services that it knows of; the empty name stands for the server."""

    def __init__(self, services: Services, names: tuple[str, ...]) -> None:
        self._services: Final = services
        self._names: Final = ("", *names)

    def methods(self) -> tuple[Method, ...]:
        return (Unary("Check", HealthCheckRequest, self._check), ToStream("Watch", HealthCheckRequest, self._watch))

    async def _check(self, _: Call, request: HealthCheckRequest) -> bytes:
        if request.service not in self._names:
            raise Refused("NOT_FOUND", "no such service")
        return HealthCheckResponse(status=await self._status()).SerializeToString()

    async def _watch(self, call: Call, request: HealthCheckRequest, _: MakeRoom) -> AsyncGenerator[bytes]:
        """Each change, until the server stops."""
        last_sent: int | None = None
        is_known = request.service in self._names
        while True:
            status = await self._status() if is_known else HealthCheckResponse.SERVICE_UNKNOWN
            if status != last_sent:
                last_sent = status
                yield HealthCheckResponse(status=status).SerializeToString()
            if call.stopping.is_set():
                return
            await is_set_within(HEALTH_WATCH_INTERVAL_S, call.stopping)

    async def _status(self) -> int:
        try:
            await self._services.check_ready()
        except IndelibleError:
            return HealthCheckResponse.NOT_SERVING
        return HealthCheckResponse.SERVING


_POOL: Final = Default()
_ALPHA: Final = "grpc.reflection.v1alpha"
_FINAL: Final = "grpc.reflection.v1"


def _define_final_version() -> None:
    """Make the pool know version 1 too, so that it can be reflected upon."""
    file = FileDescriptorProto.FromString(pb.DESCRIPTOR.serialized_pb)
    file.name = "grpc/reflection/v1/reflection.proto"
    file.package = _FINAL
    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = field.type_name.replace(_ALPHA, _FINAL)
    for method in file.service[0].method:
        method.input_type = method.input_type.replace(_ALPHA, _FINAL)
        method.output_type = method.output_type.replace(_ALPHA, _FINAL)
    _POOL.AddSerializedFile(file.SerializeToString())


_define_final_version()
REFLECTION_SERVICES: Final = (f"{_FINAL}.ServerReflection", f"{_ALPHA}.ServerReflection")


class Reflection:
    """Tells of these services, by their full names, and of itself."""

    def __init__(self, services: Iterable[str]) -> None:
        self._names: Final = sorted((*services, *REFLECTION_SERVICES))

    def methods(self) -> tuple[Method, ...]:
        return (Streams("ServerReflectionInfo", self._answers),)

    async def _answers(self, _: Call, requests: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        async for encoded in requests:
            request = decode_message(pb.ServerReflectionRequest, encoded)
            answer = pb.ServerReflectionResponse(valid_host=request.host, original_request=request)
            try:
                self._fill(answer, request)
            except KeyError:
                answer.error_response.error_code = GRPC_NUMBERS["NOT_FOUND"]
                answer.error_response.error_message = "not found"
            yield answer.SerializeToString()

    def _fill(self, answer: pb.ServerReflectionResponse, request: pb.ServerReflectionRequest) -> None:
        """Raises ``KeyError`` for what there is not."""
        match request.WhichOneof("message_request"):
            case "list_services":
                answer.list_services_response.service.extend(pb.ServiceResponse(name=name) for name in self._names)
            case "file_by_filename":
                _put_files(answer, _POOL.FindFileByName(request.file_by_filename))
            case "file_containing_symbol":
                _put_files(answer, _file_of(request.file_containing_symbol))
            case "file_containing_extension":
                requested = request.file_containing_extension
                extended = _POOL.FindMessageTypeByName(requested.containing_type)
                extension = _POOL.FindExtensionByNumber(extended, requested.extension_number)
                _put_files(answer, _file_of(extension.full_name))
            case "all_extension_numbers_of_type":
                extended = _POOL.FindMessageTypeByName(request.all_extension_numbers_of_type)
                answer.all_extension_numbers_response.base_type_name = extended.full_name
                numbers = (extension.number for extension in _POOL.FindAllExtensions(extended))
                answer.all_extension_numbers_response.extension_number.extend(sorted(numbers))
            case _:
                answer.error_response.error_code = GRPC_NUMBERS["INVALID_ARGUMENT"]
                answer.error_response.error_message = "asks for nothing that is known here"


def _put_files(answer: pb.ServerReflectionResponse, file: FileDescriptor) -> None:
    needed: dict[str, bytes] = {}
    _add_after_imports(needed, file)
    # The file that was asked for first, each before what it imports.
    answer.file_descriptor_response.file_descriptor_proto.extend(reversed(needed.values()))


def _add_after_imports(needed: dict[str, bytes], file: FileDescriptor) -> None:
    for imported in file.dependencies:
        if imported.name not in needed:
            _add_after_imports(needed, imported)
    needed[file.name] = file.serialized_pb


def _file_of(symbol: str) -> FileDescriptor:
    """Of anything that has a full name. The pool itself finds files only by what stands at their top, and messages."""
    try:
        return _POOL.FindFileContainingSymbol(symbol)
    except KeyError:
        parent, _, name = symbol.rpartition(".")
        for find, members in _MEMBERS:
            try:
                found = find(parent)
            except KeyError:
                continue
            if any(name in getattr(found, kind) for kind in members):
                file: FileDescriptor = found.file
                return file
        raise


_MEMBERS: Final[tuple[tuple[Callable[[str], Any], tuple[str, ...]], ...]] = (
    (_POOL.FindServiceByName, ("methods_by_name",)),
    (_POOL.FindMessageTypeByName, ("fields_by_name", "oneofs_by_name", "enum_values_by_name")),
    (_POOL.FindEnumTypeByName, ("values_by_name",)),
)
