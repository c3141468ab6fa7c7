"""The page docs/reference/grpc-api.md, from the comments of the .proto files."""

import re
from collections.abc import Iterable, Iterator

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)
from proto import comments_descriptor_set

INTRODUCTION = """\
# The API over gRPC

The package `indelible.v1`; its [.proto files](../../src/indelible/wire/proto/indelible/v1/) are all that a client
needs, and change only by additions. `indelible serve --grpc 127.0.0.1:9090` offers it, without encryption, next to the
REST API; it needs the packages of `pip install "indelible[grpc]"`. Words and rules are those of the
[REST API](rest-api.md). How to begin: [Use gRPC from any language](../how-to/use-grpc-from-any-language.md).

The server also has `grpc.health.v1.Health`, which says what `/readyz` says, and reflection (`v1`, `v1alpha`).

- A request may take 16 MiB. Answers with a snapshot may take more than the 4 MiB that many clients allow unless they
  are told otherwise (`grpc.max_receive_message_length`).
- A deadline ends a call. An append that it ends may be stored all the same: send it again, with the same event ids.
- Messages may come compressed, by gzip or deflate; another way gets `UNIMPLEMENTED`. Answers are not compressed. A
  message that does not come whole within 60 s of its beginning ends its call.
- Clients may ping, on connections without calls too; the server itself pings after 30 s of silence. A connection ends
  (`ENHANCE_YOUR_CALM`) when there are, within 10 s, 1,000 pings or the like with no call or answer between them, 200
  settings, or 10,000 calls that are given up.
- Calls of one connection do not wait for one another: a stream that is not read holds up no other.
- A server that stops ends subscriptions and streams of batches and of consumers with `UNAVAILABLE` and the code
  `shutting_down`: connect anew.

## Errors

A call that fails has one of gRPC's own status codes; the [table of errors](errors.md) has it for each code. The trailer
`grpc-status-details-bin` holds a `google.rpc.Status`, which many languages read by themselves, with one detail: an
`indelible.v1.Error` with the code, the message and the fields that REST gives. For others the trailer `indelible-code`
has the code as plain text. The status message may be cut short; that of the detail is whole.

## A consumer's stream

`Consume` makes its caller a member of a consumer group:

1. The first message is `start`. From then on events come, up to `max_in_flight` that are not acknowledged.
2. For each event, or for many with one message, send `ack`; `nack` when it could not be dealt with; `extend` when it
   takes longer than the group allows. Nothing has to be waited for in between.
3. Each of these messages gets one `Settled`, in order. What it acknowledges is done, on stable storage; what is `lost`
   somebody else has by now.

A message comes at least every 15 s, with nothing in it when there is nothing to say.

When the stream ends, because its caller cancels, dies, comes to its deadline or loses the connection, or because the
server stops, what was not acknowledged goes to other members at once, and counts as one attempt. An `ack` whose answer
is missing may be sent again, by `Ack` or on another stream: it takes effect unless somebody else has the event by then.
A message that is wrong ends the stream with `INVALID_ARGUMENT`, after those before it are settled and answered.

A caller that does not read its messages gets no more deliveries, and its own messages wait when 1,000 delivery ids have
no answer that it took. So a program that writes must read, too.
"""
_TYPES = {
    FieldDescriptorProto.TYPE_STRING: "string",
    FieldDescriptorProto.TYPE_BYTES: "bytes",
    FieldDescriptorProto.TYPE_DOUBLE: "double",
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_INT32: "int32",
    FieldDescriptorProto.TYPE_INT64: "int64",
}
_Path = tuple[int, ...]


def grpc_page() -> str:
    files = FileDescriptorSet.FromString(comments_descriptor_set()).file
    own = [file for file in files if file.package == "indelible.v1"]
    parts = [INTRODUCTION]
    parts += [part for file in own for part in _services(file)]
    parts += ["## Messages\n", *(part for file in own for part in _messages(file))]
    return "\n".join(parts)


def _comments(file: FileDescriptorProto) -> dict[_Path, str]:
    """Comments by the path of what they stand above, on one line."""
    return {tuple(place.path): " ".join(place.leading_comments.split()) for place in file.source_code_info.location}


def _services(file: FileDescriptorProto) -> Iterator[str]:
    said = _comments(file)
    for i, service in enumerate(file.service):
        yield f"## {file.package}.{service.name}\n\n{said[6, i]}\n"
        yield _table("| call | does |\n|---|---|", _methods(service, (6, i), said))


def _methods(service: ServiceDescriptorProto, path: _Path, said: dict[_Path, str]) -> Iterator[str]:
    for j, method in enumerate(service.method):
        request = _stream(method.client_streaming) + _link(method.input_type)
        answer = _stream(method.server_streaming) + _link(method.output_type)
        yield f"| `{method.name}`({request}) → {answer} | {_cell(said[*path, 2, j])} |"


def _stream(is_stream: bool) -> str:
    return "stream of " if is_stream else ""


def _messages(file: FileDescriptorProto) -> Iterator[str]:
    said = _comments(file)
    for i, message in enumerate(file.message_type):
        yield f"### {message.name}\n\n{said[4, i]}\n"
        if message.field:
            yield _table("| field | type | is |\n|---|---|---|", _fields(message, (4, i), said))
    for i, enum in enumerate(file.enum_type):
        yield f"### {enum.name}\n\n{said[5, i]}\n"
        yield _table("| value | means |\n|---|---|", _values(enum, (5, i), said))


def _fields(message: DescriptorProto, path: _Path, said: dict[_Path, str]) -> Iterator[str]:
    for j, field in enumerate(message.field):
        text = said[*path, 2, j]
        if field.HasField("oneof_index") and not field.proto3_optional:
            text += f" One of `{message.oneof_decl[field.oneof_index].name}`."
        yield f"| `{field.name}` = {field.number} | {_type(field)} | {_cell(text)} |"


def _values(enum: EnumDescriptorProto, path: _Path, said: dict[_Path, str]) -> Iterator[str]:
    for j, value in enumerate(enum.value):
        yield f"| `{value.name}` = {value.number} | {_cell(said[*path, 2, j])} |"


def _type(field: FieldDescriptorProto) -> str:
    name = _TYPES.get(field.type) or _link(field.type_name)
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"repeated {name}"
    return f"optional {name}" if field.proto3_optional else name


def _link(type_name: str) -> str:
    name = type_name.rpartition(".")[2]
    return f"[{name}](#{name.lower()})" if type_name.startswith(".indelible.") else f"`{type_name[1:]}`"


def _cell(text: str) -> str:
    return re.sub(r"\|", r"\\|", text)


def _table(head: str, rows: Iterable[str]) -> str:
    return "\n".join([head, *rows]) + "\n"
