"""ServerFeatures: what this server can do, which clients ask before they do it."""

from collections.abc import Mapping, Sequence
from typing import Final

from indelible.server.call import Call
from indelible.server.grpc.calls import Method, Unary
from indelible.wire.esdb.pb import features_pb2 as pb
from indelible.wire.esdb.pb.shared_pb2 import Empty

FEATURES_SERVICE: Final = "event_store.client.server_features.ServerFeatures"

_SPOKEN_VERSION: Final = "24.10.0"
"""The release of the servers that this wire is like, which clients compare to see what they may ask for."""

_FEATURES: Final[Mapping[str, tuple[str, ...]]] = {
    "event_store.client.persistent_subscriptions.PersistentSubscriptions": ("stream", "all"),
    "event_store.client.streams.Streams/Read": ("position", "events"),
    "event_store.client.streams.Streams/BatchAppend": ("deadline_duration",),
}
"""By service, or by method."""


def features_methods(services: Mapping[str, Sequence[Method]]) -> tuple[Method, ...]:
    """``services``: those that there are."""
    answer = _supported(services).SerializeToString()

    async def supported(_: Call, __: Empty) -> bytes:
        return answer

    return (Unary("GetSupportedMethods", Empty, supported),)


def _supported(services: Mapping[str, Sequence[Method]]) -> pb.SupportedMethods:
    found = pb.SupportedMethods(event_store_server_version=_SPOKEN_VERSION)
    for service, methods in services.items():
        for method in methods:
            features = _FEATURES.get(service, ()) or _FEATURES.get(f"{service}/{method.name}", ())
            # Clients compare names in lower case.
            found.methods.add(service_name=service.lower(), method_name=method.name.lower(), features=features)
    return found
