"""A member that takes two events, says so, and then does nothing: ``python stuck_member.py HOST:PORT GROUP``."""

import sys
import threading

import grpc

from indelible.wire.pb import groups_pb2 as pb

address, group = sys.argv[1:]
waiting = threading.Event()


def requests():
    yield pb.ConsumeRequest(start=pb.ConsumeStart(group=group))
    waiting.wait()


consume = grpc.insecure_channel(address).stream_stream(
    "/indelible.v1.ConsumerGroups/Consume", pb.ConsumeRequest.SerializeToString, pb.ConsumeResponse.FromString
)
count = 0
for message in consume(requests()):
    count += len(message.deliveries)
    if count == 2:
        print(count, flush=True)
