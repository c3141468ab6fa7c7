"""Bounds of the API over gRPC."""

from typing import Final

# --- gRPC ------------------------------------------------------------------------------------------------------------

GRPC_CALLS_MAX: Final = 4_096
"""Calls under way at once in one process, subscriptions and other streams included; more get UNAVAILABLE."""

GRPC_CALLS_PER_CONNECTION_MAX: Final = 1_024
"""Calls under way at once on one connection. The client's library makes further ones wait."""

GRPC_BATCHES_UNDER_WAY_MAX: Final = 16
"""Batches of one stream that wait for their commit, half of them while others are stored. Then it is not read."""

GRPC_UNANSWERED_IDS_MAX: Final = 1_000
"""Delivery ids that one stream's member has settled without taking the answers. Beyond it the stream is not read."""

GRPC_LARGE_MESSAGES_SIZE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Messages of streams, above two pieces each, that readers have yet to take; half of it for new readers."""

GRPC_WAITING_SIZE_BYTES_MAX: Final = 256 * 1024 * 1024
"""Such messages that wait for that room, made already; half of it for new readers. More get UNAVAILABLE."""

GRPC_STALLED_S: Final = 5.0
"""How long a reader may leave one lying while others wait for room: time for the largest event at 3 Mbit/s."""

GRPC_UNREAD_SIZE_BYTES_MAX: Final = 256 * 1024
"""What has come on one stream and waits for its handler, beyond the message that is being put together."""

GRPC_CONTINUATIONS_MAX: Final = 32
"""Frames that the head of one call may come in. All of them together are bounded as a head is; empty ones are not."""

GRPC_MESSAGE_S: Final = 60.0
"""How long a message may take to come whole after its first bytes: time for the largest over a link of 3 Mbit/s."""

GRPC_FIELDS_MAX: Final = 190_000
"""Fields of one message, those of its parts counted: ten thousand appends of one event have fewer, with every field,
the most tags and the largest condition. To count so many takes up to 80 ms."""

GRPC_FIELDS_COUNTED_SIZE_BYTES: Final = 512 * 1024
"""Messages up to this size are decoded uncounted, in 25 ms and 20 MiB, whatever is in them."""

GRPC_TURN_S: Final = 0.005
"""How long the frames of one connection are taken before others' turn. One takes up to 20 ms: the largest head."""

GRPC_IDLE_FRAMES_MAX: Final = 1_000
GRPC_IDLE_FRAMES_S: Final = 10.0
"""Pings, settings and the like that a connection may send within so many seconds while it begins no call and is sent no
answer. Clients ping every few seconds, or measure the network by a ping when an answer comes."""

GRPC_SETTINGS_MAX: Final = 200
"""Settings that a connection may send within the same time, whatever else it does: each may widen all calls' windows.
Clients send them once, and when they have measured the network anew, which they do every 100 ms at most."""

GRPC_RESETS_MAX: Final = 10_000
"""Calls that a connection may give up within the same time: a tenth of the event loop's. More are an attack."""

GRPC_KEEP_ALIVE_S: Final = 30.0
"""How often the server pings a silent connection: clients that vanished are noticed, and proxies see it is alive."""

GRPC_KEEP_ALIVE_TIMEOUT_S: Final = 20.0
"""How long the answer to such a ping may take."""

ERROR_STATUS_MESSAGE_SIZE_BYTES_MAX: Final = 600
"""An error's message in the status itself, as it is sent: percent-encoded. Its details have all of it. Clients take
8 KiB of trailers; above that some calls fail and some do not."""

GRPC_STOP_S: Final = 0.5
"""How long a stopping server lets calls that are not the store's own (health, reflection) go on after the others."""

GRPC_FIRST_MESSAGE_S: Final = 1.0
"""How long the first message of a stream is waited for whose caller is refused anyway. Clients send it at once."""

GRPC_HEAR_OUT_S: Final = 2.0
"""How long the rest of an append that is refused already is heard, and left: time for the largest over a fast link.
Over a slow one its caller may see that the call was broken off, in place of why."""

GRPC_CANCEL_S: Final = 2.0
"""How long it then lets calls that are cancelled put things in order."""

HEALTH_WATCH_INTERVAL_S: Final = 1.0
"""How often a watched health is looked at."""
