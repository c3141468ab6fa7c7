"""The server for clients of KurrentDB and EventStoreDB: their API over gRPC, on a port of its own."""

import base64
import binascii
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Final

from indelible.errors import IndelibleError, Unauthenticated
from indelible.server.config import ESDB_POINTER, Address, EsdbSettings
from indelible.server.esdb.appends import append
from indelible.server.esdb.batch_appends import batch_append
from indelible.server.esdb.cluster import gossip_methods
from indelible.server.esdb.deletes import delete, tombstone
from indelible.server.esdb.features import FEATURES_SERVICE, features_methods
from indelible.server.esdb.persistent import PERSISTENT_SERVICE, persistent_methods
from indelible.server.esdb.reads import read
from indelible.server.esdb.records import append_records, append_session
from indelible.server.esdb.store_access import store_of
from indelible.server.grpc.calls import Answer, Dialect, FromStream, Method, Streams, ToStream, Unary
from indelible.server.grpc.server import serving_methods
from indelible.server.process import listen
from indelible.server.services import Services
from indelible.server.tls import Certificates
from indelible.wire.esdb.errors import refusal_of
from indelible.wire.esdb.pb import records_pb2 as records_pb
from indelible.wire.esdb.pb import streams_pb2 as pb

SERVICES: Final[dict[str, tuple[Method, ...]]] = {
    "event_store.client.streams.Streams": (
        ToStream("Read", pb.ReadReq, read),
        FromStream("Append", append),
        Streams("BatchAppend", batch_append),
        Unary("Delete", pb.DeleteReq, delete),
        Unary("Tombstone", pb.TombstoneReq, tombstone),
    ),
    "kurrentdb.protocol.v2.streams.StreamsService": (
        FromStream("AppendSession", append_session),
        Unary("AppendRecords", records_pb.AppendRecordsRequest, append_records),
    ),
}
"""The methods, by the full name of their service, but for those that share something of their own."""


@contextlib.asynccontextmanager
async def serving_esdb(
    services: Services,
    settings: EsdbSettings,
    *,
    shutdown_grace_s: float,
    listener: socket.socket | None = None,
    certificates: Certificates | None = None,
) -> AsyncIterator[str]:
    """Serve while the context is open; gives HOST:PORT. ``listener``: a socket that listens, in place of the address.
    See :func:`indelible.server.grpc.server.serving_grpc`."""
    if listener is None:
        listener = listen(settings.address, shared=True, pointer=ESDB_POINTER)
    own = {**SERVICES, PERSISTENT_SERVICE: persistent_methods(services)}
    others = {
        **gossip_methods(services, settings.advertised, Address(*listener.getsockname()[:2])),
        FEATURES_SERVICE: features_methods(own),
    }
    async with serving_methods(
        services, listener, own, others, _DIALECT, shutdown_grace_s=shutdown_grace_s, certificates=certificates
    ) as address:
        yield address


def _answer_of(error: IndelibleError) -> Answer:
    return Answer(*refusal_of(error))


def bearer_of(header: bytes | None) -> bytes | None:
    """These clients have a user's name and password: the password is the token, whatever the name."""
    if header is None or header[:6].lower() != b"basic ":
        return header
    try:
        _, colon, password = base64.b64decode(header[6:], validate=True).partition(b":")
    except binascii.Error:
        colon = password = b""
    if not colon:
        raise Unauthenticated("the header authorization must be: Basic, and USER:TOKEN in base64; or Bearer TOKEN")
    return b"Bearer " + password


_DIALECT: Final = Dialect("esdb", _answer_of, bearer_of, store_of)
