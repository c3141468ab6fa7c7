"""What clients in the world rely on stays: the API over gRPC may only be added to."""

import importlib.util
from collections.abc import Iterator

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from house.source import ROOT

_spec = importlib.util.spec_from_file_location("proto", ROOT / "tools" / "proto.py")
assert _spec is not None
assert _spec.loader is not None
proto = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(proto)


def promises(files: FileDescriptorSet) -> set[str]:
    """Every fact that a client may rely on, a line each."""
    return {promise for file in files.file for promise in _of_file(file)}


def _of_file(file: FileDescriptorProto) -> Iterator[str]:
    yield f"file {file.name} is of package {file.package}"
    for message in file.message_type:
        yield from _of_message(message, file.package)
    for enum in file.enum_type:
        yield from _of_enum(enum, file.package)
    for service in file.service:
        for method in service.method:
            request = f"{'stream ' if method.client_streaming else ''}{method.input_type}"
            answer = f"{'stream ' if method.server_streaming else ''}{method.output_type}"
            yield f"rpc {file.package}.{service.name}.{method.name}({request}) returns ({answer})"


def _of_message(message: DescriptorProto, within: str) -> Iterator[str]:
    name = f"{within}.{message.name}"
    yield f"message {name}"
    for field in message.field:
        oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else "none"
        kind = f"type {field.type} {field.type_name} label {field.label} optional {field.proto3_optional} oneof {oneof}"
        yield f"field {name}.{field.name} = {field.number} is of {kind}"
    for inner in message.nested_type:
        yield from _of_message(inner, name)
    for enum in message.enum_type:
        yield from _of_enum(enum, name)


def _of_enum(enum: EnumDescriptorProto, within: str) -> Iterator[str]:
    for value in enum.value:
        yield f"enum {within}.{enum.name}.{value.name} = {value.number}"


def released() -> FileDescriptorSet:
    return FileDescriptorSet.FromString(proto.RELEASED.read_bytes())


def test_what_was_released_is_still_so():
    now = FileDescriptorSet.FromString(proto.descriptor_set())
    assert sorted(promises(released()) - promises(now)) == []


def test_numbers_are_not_given_twice():
    """A field that was released keeps its number even if it is renamed, which the test above refuses."""
    for file in released().file:
        for message in file.message_type:
            numbers = [field.number for field in message.field]
            assert len(numbers) == len(set(numbers)), message.name


def test_a_change_of_what_was_released_is_noticed():
    changed = released()
    [store] = [file for file in changed.file if file.name == "indelible/v1/event_store.proto"]
    [append] = [message for message in store.message_type if message.name == "AggregateAppend"]
    append.field[0].number = 99
    store.service[0].method[0].server_streaming = True
    lost = promises(released()) - promises(changed)
    assert len(lost) == 2, lost


def test_the_generated_modules_are_up_to_date():
    for api in proto.APIS:
        written = {path.name: path.read_text("utf-8") for path in api.generated.glob("*.py*")}
        assert written == proto.generated_files(api), "run: make proto"


def test_everything_has_a_comment():
    silent = [
        f"{file.name}: {path}"
        for file in FileDescriptorSet.FromString(proto.comments_descriptor_set()).file
        for path in _silent(file)
    ]
    assert silent == []


def _silent(file: FileDescriptorProto) -> Iterator[str]:
    commented = {tuple(place.path) for place in file.source_code_info.location if place.leading_comments.strip()}
    for i, message in enumerate(file.message_type):
        # Field 4 of a file are its messages, 2 of a message its fields; see descriptor.proto.
        places = [((4, i), message.name)]
        places += [((4, i, 2, j), f"{message.name}.{field.name}") for j, field in enumerate(message.field)]
        places += [
            ((4, i, 8, j), f"{message.name}.{oneof.name}")
            for j, oneof in enumerate(message.oneof_decl)
            if not oneof.name.startswith("_")
        ]
        yield from (name for path, name in places if path not in commented)
    for i, enum in enumerate(file.enum_type):
        places = [((5, i), enum.name)]
        places += [((5, i, 2, j), value.name) for j, value in enumerate(enum.value)]
        yield from (name for path, name in places if path not in commented)
    for i, service in enumerate(file.service):
        places = [((6, i), service.name)]
        places += [((6, i, 2, j), method.name) for j, method in enumerate(service.method)]
        yield from (name for path, name in places if path not in commented)
