"""Where the messages of this wire are known: a pool of their own, because a process that also has a client of KurrentDB
or EventStoreDB has messages of the same names."""

from typing import Final

from google.protobuf import any_pb2, duration_pb2, empty_pb2, struct_pb2, timestamp_pb2
from google.protobuf.descriptor_pool import DescriptorPool

POOL: Final = DescriptorPool()

for _known in (any_pb2, duration_pb2, empty_pb2, struct_pb2, timestamp_pb2):
    POOL.AddSerializedFile(_known.DESCRIPTOR.serialized_pb)
